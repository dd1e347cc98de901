//! Moments ↔ days and hours, in the proleptic Gregorian calendar and without leap seconds, as clocks of computers have it.

use super::item::UnixTime;

const MS_A_MINUTE: u64 = 60_000;
const MINUTES_A_DAY: i64 = 24 * 60;
/// Days of four hundred years: the calendar repeats after them.
const DAYS_AN_ERA: i64 = 146_097;
/// 1970-01-01, counted in days from 0000-03-01.
const EPOCH_DAYS: i64 = 719_468;

/// A moment as a calendar has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    /// From 1.
    pub(crate) month: i64,
    /// From 1.
    pub(crate) day: i64,
    /// Monday is 1, Sunday 7 (ISO 8601).
    pub(crate) weekday: i64,
    /// Minutes since midnight.
    pub(crate) minute_of_day: i64,
}

impl Civil {
    /// The moment in UTC, moved by some minutes.
    pub(crate) fn at(moment: UnixTime, offset_minutes: i64) -> Self {
        // 2^64 ms are some 10^14 minutes: far from what 64 bits hold.
        let minutes = i64::try_from(moment.0 / MS_A_MINUTE).unwrap_or(i64::MAX / 2) + offset_minutes;
        let (days, minute_of_day) = (minutes.div_euclid(MINUTES_A_DAY), minutes.rem_euclid(MINUTES_A_DAY));
        let (year, month, day) = date(days);
        // 1970-01-01 was a Thursday.
        Self { year, month, day, weekday: (days + 3).rem_euclid(7) + 1, minute_of_day }
    }

    /// The moment at which this day begins in UTC; `None` before 1970, or if there is no such day.
    pub(crate) fn midnight(year: i64, month: i64, day: i64) -> Option<UnixTime> {
        if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let days = days(year, month, day);
        // Whoever writes 31 April gets no other day for it.
        let exists = date(days) == (year, month, day);
        let minutes = u64::try_from(days * MINUTES_A_DAY).ok().filter(|_| exists)?;
        Some(UnixTime(minutes * MS_A_MINUTE))
    }
}

/// Days since 1970-01-01. Years are counted from March, so that a leap day is a year's last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * DAYS_AN_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_DAYS
}

fn date(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_DAYS;
    let (era, of_era) = (days.div_euclid(DAYS_AN_ERA), days.rem_euclid(DAYS_AN_ERA));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_the_days_that_calendars_show() {
        // Dates by `date -u -d @SECONDS '+%F %u %H:%M'`.
        for (seconds, year, month, day, weekday, minute) in [
            (0, 1970, 1, 1, 4, 0),
            (951_782_340, 2000, 2, 28, 1, 1439),
            (951_782_400, 2000, 2, 29, 2, 0),
            (1_709_251_199, 2024, 2, 29, 4, 1439),
            (1_709_251_200, 2024, 3, 1, 5, 0),
            (1_767_225_599, 2025, 12, 31, 3, 1439),
            (4_107_542_400, 2100, 3, 1, 1, 0),
        ] {
            let civil = Civil::at(UnixTime(seconds * 1_000), 0);
            assert_eq!(civil, Civil { year, month, day, weekday, minute_of_day: minute }, "{seconds}");
        }
    }

    #[test]
    fn an_offset_moves_the_day() {
        let late = UnixTime(1_767_225_599_000);
        assert_eq!(Civil::at(late, 60).year, 2026);
        assert_eq!(Civil::at(late, -24 * 60).day, 30);
    }

    #[test]
    fn every_day_of_a_thousand_years_is_found_again_and_days_that_are_none_are_not() {
        for days in 0..365_000_i64 {
            let moment = UnixTime(u64::try_from(days * MINUTES_A_DAY).expect("after 1970") * MS_A_MINUTE);
            let Civil { year, month, day, .. } = Civil::at(moment, 0);
            assert_eq!(Civil::midnight(year, month, day), Some(moment));
        }
        for (year, month, day) in
            [(2025, 2, 29), (2025, 4, 31), (2025, 13, 1), (2025, 0, 1), (1969, 1, 1), (2100, 2, 29)]
        {
            assert_eq!(Civil::midnight(year, month, day), None, "{year}-{month}-{day}");
        }
    }
}
