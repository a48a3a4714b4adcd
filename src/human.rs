//! Formats numbers, sizes, durations and ages for people.

use std::time::Duration;

use bytesize::ByteSize;
use chrono::{DateTime, Utc};

use crate::model::time;

/// A number of bytes in binary units: `1.4 GiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

/// A number of things: `1 recording`, `2 recordings`.
#[must_use]
pub fn count(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// A duration in its two largest units, cut off: `3 h 12 min`, `2 d`, `0 s`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let seconds = time.as_secs();
    let Some(largest) = units.iter().position(|(_, length)| seconds >= *length) else {
        return "0 s".to_owned();
    };
    let (unit, length) = units[largest];
    let mut text = format!("{} {unit}", seconds / length);
    if let Some((unit, smaller)) = units.get(largest + 1) {
        let rest = seconds % length / smaller;
        if rest > 0 {
            text = format!("{text} {rest} {unit}");
        }
    }
    text
}

/// How long ago, or how far ahead, `then` is: `3 h 12 min ago`, `in 40 s`, `now`.
#[must_use]
pub fn age(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let past = (now - then).to_std().unwrap_or_default();
    let ahead = (then - now).to_std().unwrap_or_default();
    match (past.as_secs(), ahead.as_secs()) {
        (0, 0) => "now".to_owned(),
        (0, _) => format!("in {}", duration(ahead)),
        _ => format!("{} ago", duration(past)),
    }
}

/// A point in time as the database writes it, to the second: `2026-11-23 20:02:27`.
#[must_use]
pub fn time(text: &str) -> String {
    match time::parse(text) {
        Some(time) => time.format("%Y-%m-%d %H:%M:%S").to_string(),
        None => text.to_owned(),
    }
}

/// A duration in seconds; empty if it is negative or not a number.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds)
        .map(duration)
        .unwrap_or_default()
}

/// The duration between two times of the database; empty while there is no end.
#[must_use]
pub fn took(started: &str, ended: Option<&str>) -> String {
    let length = || {
        let ended = time::parse(ended?)?;
        (ended - time::parse(started)?).to_std().ok()
    };
    length().map(duration).unwrap_or_default()
}

/// An error and its causes on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_show_their_two_largest_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3_600, "1 h"),
            (11_520, "3 h 12 min"),
            (3_601, "1 h"),
            (172_800 + 3_599, "2 d"),
            (u64::MAX, "213503982334601 d 7 h"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
        assert_eq!(duration(Duration::from_millis(999)), "0 s");
    }

    #[test]
    fn ages_look_back_and_ahead() {
        let now = crate::model::time::parse("2026-11-23T20:00:00Z").unwrap();
        let at = |text: &str| age(crate::model::time::parse(text).unwrap(), now);
        assert_eq!(at("2026-11-23T16:48:00Z"), "3 h 12 min ago");
        assert_eq!(at("2026-11-23T20:00:40Z"), "in 40 s");
        assert_eq!(at("2026-11-23T19:59:59.5Z"), "now");
    }

    #[test]
    fn sizes_are_in_binary_units() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1_503_238_554), "1.4 GiB");
    }
    #[test]
    fn an_error_is_shown_with_its_causes() {
        let cause = std::io::Error::other("disk on fire");
        let error = anyhow::Error::from(cause).context("could not land the part");
        assert_eq!(chain(&*error), "could not land the part: disk on fire");
    }
}
