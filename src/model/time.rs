//! Times as text for database and views: `2026-11-23T20:02:27.123Z`, UTC with milliseconds.
//! Their fixed width makes them sort by time.

use chrono::{DateTime, DurationRound as _, SecondsFormat, TimeDelta, Utc};

/// The text of a time.
#[must_use]
pub fn to_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Serializes a time as its text.
///
/// # Errors
/// The serializer's.
pub fn serialize<S: serde::Serializer>(
    time: &DateTime<Utc>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&to_text(*time))
}

/// Reads any RFC 3339 time, to the millisecond, so that it equals what [`to_text`] keeps of it. Years
/// outside 1970–9999 are refused, as their text would not sort.
#[must_use]
pub fn parse(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text.trim())
        .ok()?
        .with_timezone(&Utc)
        .duration_trunc(TimeDelta::milliseconds(1))
        .ok()?;
    (0..=253_402_300_799)
        .contains(&time.timestamp())
        .then_some(time)
}
