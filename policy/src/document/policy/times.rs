//! `until`, `days`, `hours` and `utc_offset` of a rule.

use crate::document::reader::{Reader, Section, Text, shown};
use crate::document::suggest::{did_you_mean, one_of};
use crate::rules::{Civil, Times, UnixTime};

pub(super) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

pub(super) fn times(r: &mut Reader<'_>, s: &mut Section<'_>) -> Times {
    let until = s.string(r, "until").and_then(|text| {
        let moment = until(text.text);
        if moment.is_none() {
            let remedy =
                "write a day, \"2026-12-31\" (the rule ends with it), or a moment, \"2026-12-31T18:00Z\"";
            r.wrong(text.at, format!("`until` cannot be `{}`", shown(text.text)), Some(remedy.to_owned()));
        }
        moment
    });
    let mut weekdays = Vec::new();
    for Text { text, at } in s.names(r, "days") {
        match (1..).zip(DAYS).find(|(_, day)| *day == text) {
            Some((number, _)) => weekdays.push(number),
            None => {
                let remedy = did_you_mean(text, DAYS).unwrap_or_else(|| format!("use {}", one_of(DAYS)));
                r.wrong(at, format!("`{}` is no day of the week", shown(text)), Some(remedy));
            }
        }
    }
    let hours = s.string(r, "hours").and_then(|text| {
        let span = text.text.split_once('-').and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
        let span = span.filter(|(from, to)| from != to && *from < 24 * 60);
        if span.is_none() {
            let remedy = "write \"08:00-18:00\"; \"22:00-06:00\" goes past midnight".to_owned();
            r.wrong(text.at, format!("`hours` cannot be `{}`", shown(text.text)), Some(remedy));
        }
        span
    });
    let offset = s.string(r, "utc_offset");
    let utc_offset_minutes = offset.and_then(|text| {
        let minutes = offset_minutes(text.text);
        if minutes.is_none() {
            let remedy = "write \"+02:00\" or \"-05:30\"; without it times are in UTC".to_owned();
            r.wrong(text.at, format!("`utc_offset` cannot be `{}`", shown(text.text)), Some(remedy));
        }
        minutes
    });
    if let Some(text) = offset.filter(|_| weekdays.is_empty() && hours.is_none()) {
        r.wrong(text.at, "`utc_offset` is about `days` and `hours`, and there are none", None);
    }
    Times { until, weekdays, hours, utc_offset_minutes: utc_offset_minutes.unwrap_or(0) }
}

/// A day, whose last moment is the rule's, or a moment in UTC.
pub(super) fn until(text: &str) -> Option<UnixTime> {
    const MS_A_MINUTE: u64 = 60_000;
    let (day, time) = match text.split_once('T') {
        Some((day, time)) => (day, Some(time.strip_suffix('Z')?)),
        None => (text, None),
    };
    let number = |text: &str, digits| {
        (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse().ok())
            .flatten()
    };
    let mut parts = day.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let midnight = Civil::midnight(number(year, 4)?, number(month, 2)?, number(day, 2)?)?;
    if parts.next().is_some() {
        return None;
    }
    let minutes = match time {
        Some(time) => u64::from(minute(time)?),
        None => 24 * 60,
    };
    Some(UnixTime(midnight.0 + minutes * MS_A_MINUTE))
}

/// `08:30` → minutes since midnight; `24:00` is the end of the day.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse::<u16>().ok())
            .flatten()
    };
    let minutes = number(hour)? * 60 + number(minute).filter(|minute| *minute < 60)?;
    (minutes <= 24 * 60).then_some(minutes)
}

/// `+02:00`; nowhere on earth is it more than 14 hours.
fn offset_minutes(text: &str) -> Option<i16> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let minutes = minute(rest).and_then(|minutes| i16::try_from(minutes).ok())?;
    (minutes <= 14 * 60).then_some(sign * minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_with_its_last_moment_and_a_moment_is_itself() {
        assert_eq!(until("1970-01-01"), Some(UnixTime(86_400_000)));
        assert_eq!(until("1970-01-01T18:00Z"), Some(UnixTime(18 * 3_600_000)));
        for wrong in [
            "",
            "2026",
            "2026-1-1",
            "2026-02-30",
            "2026-01-01T18:00",
            "2026-01-01T25:00Z",
            "2026-01-01-01",
            "+026-01-01",
            "1969-12-31",
        ] {
            assert_eq!(until(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn hours_and_offsets_are_written_in_one_way() {
        assert_eq!((minute("08:30"), minute("24:00"), minute("00:00")), (Some(510), Some(1_440), Some(0)));
        for wrong in ["8:30", "08:60", "24:01", "08", "08:3", "+8:30", "ab:cd"] {
            assert_eq!(minute(wrong), None, "{wrong}");
        }
        assert_eq!((offset_minutes("+05:30"), offset_minutes("-03:00")), (Some(330), Some(-180)));
        for wrong in ["", "02:00", "+15:00", "+2:00", "Z", "é"] {
            assert_eq!(offset_minutes(wrong), None, "{wrong}");
        }
    }
}
