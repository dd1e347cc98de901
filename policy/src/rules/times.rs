//! When a rule holds: until a day, on some days of the week, in some hours.

use super::calendar::Civil;
use super::item::UnixTime;

/// The times of one rule; the default is always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The moment at which the rule ends.
    pub until: Option<UnixTime>,
    /// Days of the week, Monday is 1; empty means every day.
    pub weekdays: Vec<u8>,
    /// From and up to these minutes of the day. `from` behind `to` goes past midnight.
    pub hours: Option<(u16, u16)>,
    /// How far the clock of days and hours is ahead of UTC.
    pub utc_offset_minutes: i16,
}

impl Times {
    /// Whether the rule holds always, so that nobody needs to know what time it is.
    pub(super) fn is_always(&self) -> bool {
        self.until.is_none() && self.weekdays.is_empty() && self.hours.is_none()
    }

    /// Whether it holds now. An hour past midnight is the next day's: `days = ["fri"]` with `hours = "22:00-06:00"` holds in
    /// the first six and the last two hours of Friday.
    pub(super) fn hold(&self, now: UnixTime) -> bool {
        let civil = Civil::at(now, i64::from(self.utc_offset_minutes));
        let on_day =
            self.weekdays.is_empty() || self.weekdays.iter().any(|day| i64::from(*day) == civil.weekday);
        let in_hours = self.hours.is_none_or(|(from, to)| {
            let (from, to, minute) = (i64::from(from), i64::from(to), civil.minute_of_day);
            if from <= to { (from..to).contains(&minute) } else { minute >= from || minute < to }
        });
        on_day && in_hours && self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, 2026-11-23, at this hour and minute (UTC).
    fn monday(hour: u64, minute: u64) -> UnixTime {
        UnixTime(1_795_392_000_000 + (hour * 60 + minute) * 60_000)
    }

    #[test]
    fn hours_begin_and_end_on_the_minute_and_go_past_midnight() {
        let day = Times { hours: Some((8 * 60, 18 * 60)), ..Times::default() };
        let night = Times { hours: Some((22 * 60, 6 * 60)), ..Times::default() };
        for (hour, minute, by_day, by_night) in [
            (7, 59, false, false),
            (8, 0, true, false),
            (17, 59, true, false),
            (18, 0, false, false),
            (22, 0, false, true),
            (0, 0, false, true),
            (5, 59, false, true),
            (6, 0, false, false),
        ] {
            let now = monday(hour, minute);
            assert_eq!((day.hold(now), night.hold(now)), (by_day, by_night), "{hour}:{minute}");
        }
    }

    #[test]
    fn the_day_is_that_of_the_given_offset() {
        let mondays = |offset| Times { weekdays: vec![1], utc_offset_minutes: offset, ..Times::default() };
        assert!(mondays(0).hold(monday(23, 30)) && !mondays(60).hold(monday(23, 30)));
        assert!(mondays(0).hold(monday(0, 0)) && !mondays(-60).hold(monday(0, 0)));
    }

    #[test]
    fn a_rule_ends_with_its_last_moment() {
        let times = Times { until: Some(monday(12, 0)), ..Times::default() };
        assert!(times.hold(monday(11, 59)) && !times.hold(monday(12, 0)));
        assert!(!times.is_always() && Times::default().is_always());
    }
}
