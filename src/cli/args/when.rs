//! Points in time on the command line: dates, times, and how long ago.

use std::str::FromStr;

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use crate::model::time;

const EXPECTED: &str = "expected a date, such as \"2026-01-31\", a time, such as \"2026-01-31T08:00+01:00\", or how long \
                        ago, such as \"2 weeks\" or \"3d\"";

/// A day, a time, or a time before now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// A whole day in UTC.
    Day(NaiveDate),
    /// A time.
    At(DateTime<Utc>),
    /// So long ago.
    Ago(TimeDelta),
}

impl When {
    /// Its first moment.
    pub fn start(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Day(day) => day.and_time(NaiveTime::MIN).and_utc(),
            Self::At(at) => *at,
            Self::Ago(span) => now
                .checked_sub_signed(*span)
                .unwrap_or(DateTime::UNIX_EPOCH),
        }
    }

    /// Its last moment: the end of the day.
    pub fn end(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let start = self.start(now);
        match self {
            Self::Day(_) => start + Days::new(1) - TimeDelta::milliseconds(1),
            Self::At(_) | Self::Ago(_) => start,
        }
    }
}

impl FromStr for When {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            let when = Self::Day(day);
            let start = when.start(DateTime::UNIX_EPOCH);
            return time::parse(&start.to_rfc3339())
                .map(|_| when)
                .ok_or(EXPECTED);
        }
        if let Some(at) = moment(text) {
            return Ok(Self::At(at));
        }
        let span = text.strip_suffix("ago").unwrap_or(text);
        let span = humantime::parse_duration(span.trim()).map_err(|_| EXPECTED)?;
        let span = TimeDelta::from_std(span).map_err(|_| EXPECTED)?;
        Ok(Self::Ago(span))
    }
}

/// A time with or without seconds and zone; without a zone it is UTC.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    if let Some(at) = time::parse(text) {
        return Some(at);
    }
    // chrono reads 'Z' as a zone only in RFC 3339.
    let text = match text.strip_suffix(['Z', 'z']) {
        Some(utc) => format!("{utc}+00:00"),
        None => text.to_owned(),
    };
    for separator in ["T", " "] {
        for clock in ["%H:%M", "%H:%M:%S%.f"] {
            let format = format!("%Y-%m-%d{separator}{clock}");
            let zoned = [
                format!("{format}%:z"),
                format!("{format} %:z"),
                format!("{format}%z"),
            ];
            let zoned = zoned.iter().find_map(|format| {
                let at = DateTime::parse_from_str(&text, format).ok()?;
                Some(at.with_timezone(&Utc))
            });
            let plain = || NaiveDateTime::parse_from_str(&text, &format).ok();
            if let Some(at) = zoned.or_else(|| Some(plain()?.and_utc())) {
                return time::parse(&at.to_rfc3339());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        time::parse("2026-03-01T12:00:00Z").unwrap()
    }

    #[test]
    fn dates_times_with_a_zone_and_spans_are_points_in_time() {
        for (text, start) in [
            ("2026-01-31", "2026-01-31T00:00:00.000Z"),
            ("2026-01-31T08:00:00Z", "2026-01-31T08:00:00.000Z"),
            ("2026-01-31T08:00:00+02:00", "2026-01-31T06:00:00.000Z"),
            ("2026-01-31T08:00:00.5-05:30", "2026-01-31T13:30:00.500Z"),
            ("2026-01-31T08:00Z", "2026-01-31T08:00:00.000Z"),
            ("2026-01-31 08:00", "2026-01-31T08:00:00.000Z"),
            ("2026-01-31 08:00:30", "2026-01-31T08:00:30.000Z"),
            ("2026-01-31 08:00 +01:00", "2026-01-31T07:00:00.000Z"),
            ("2026-01-31 08:00+0100", "2026-01-31T07:00:00.000Z"),
            ("2 weeks", "2026-02-15T12:00:00.000Z"),
            ("2 weeks ago", "2026-02-15T12:00:00.000Z"),
            ("3d", "2026-02-26T12:00:00.000Z"),
            ("1h 30min", "2026-03-01T10:30:00.000Z"),
            (" 90 minutes ", "2026-03-01T10:30:00.000Z"),
            ("1000 years", "1026-02-22T12:00:00.000Z"),
        ] {
            let when: When = text.parse().expect(text);
            assert_eq!(time::to_text(when.start(now())), start, "{text}");
        }
    }

    #[test]
    fn only_a_day_ends_later_than_it_starts() {
        let end = |text: &str| time::to_text(text.parse::<When>().unwrap().end(now()));
        assert_eq!(end("2026-02-28"), "2026-02-28T23:59:59.999Z");
        assert_eq!(end("2026-02-28T10:00:00Z"), "2026-02-28T10:00:00.000Z");
        assert_eq!(end("1h"), "2026-03-01T11:00:00.000Z");
    }

    #[test]
    fn what_is_no_point_in_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "3",
            "2026-13-01",
            "2026-02-30",
            "2026-01",
            "2026-01-31T25:00",
            "soon ago",
            "2026-01-31T08:00 Europe/Berlin",
            "-3d",
            "99999999999999999999 years",
            "0001-01-01",
        ] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }
}
