//! How far back events are looked at.

use crate::error::{Failure, Kind};
use crate::host;
use crate::telemetry::StoredEvent;

/// The moment before which nothing is looked at.
pub(super) fn since(text: &str) -> Result<jiff::Timestamp, Failure> {
    let wrong =
        || Failure::new(Kind::Usage, format!("`{text}` is no time")).hint("write --since 12h or --since 7d");
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
    let hours_each = match unit {
        "h" => 1,
        "d" => 24,
        _ => return Err(wrong()),
    };
    let hours =
        number.parse::<i64>().ok().and_then(|number| number.checked_mul(hours_each)).ok_or_else(wrong)?;
    host::now().checked_sub(jiff::SignedDuration::from_hours(hours)).map_err(|_| wrong())
}

/// When an event was written.
pub(super) fn time(event: &StoredEvent) -> Option<jiff::Timestamp> {
    event.value["time"].as_str()?.parse().ok()
}
