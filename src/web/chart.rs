//! Charts as SVG, drawn here: how the archive grew, and what each day added. Each has a text that says the same.

use std::fmt::Write as _;

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::db::Day;
use crate::human;

/// Days of the chart of days, and points of the one of growth at most.
const DAYS: u64 = 60;
const POINTS: usize = 120;
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 100.0;

/// A chart: the data of one SVG path, and what it shows in words.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) path: String,
    pub(super) text: String,
    /// The highest value, the first day and the last.
    pub(super) most: String,
    pub(super) from: String,
    pub(super) to: String,
}

/// How many bytes were archived at the end of each day, over all time.
pub(super) fn growth(days: &[Day]) -> Option<Chart> {
    let (first, last) = (date(days.first()?)?, date(days.last()?)?);
    let span = to_f64((last - first).num_days().max(1));
    let total: i64 = days.iter().map(|day| day.bytes).sum();
    let (mut sum, mut path, mut drawn) = (0, format!("M0 {HEIGHT}"), f64::MIN);
    for (nth, day) in days.iter().enumerate() {
        sum += day.bytes;
        let x = to_f64((date(day)? - first).num_days()) / span * WIDTH;
        if x - drawn >= WIDTH / to_f64(POINTS) || nth + 1 == days.len() {
            drawn = x;
            // A step: nothing was added on the days between.
            _ = write!(path, "H{x:.0}V{:.1}", height(sum, total));
        }
    }
    _ = write!(path, "H{WIDTH}V{HEIGHT}Z");
    Some(Chart {
        path,
        text: format!(
            "From {first} to {last}, the archive grew to {}.",
            size(total)
        ),
        most: size(total),
        from: first.to_string(),
        to: last.to_string(),
    })
}

/// How many recordings of each of the last days are archived.
pub(super) fn daily(days: &[Day], now: DateTime<Utc>) -> Option<Chart> {
    let today = now.date_naive();
    let first = today.checked_sub_days(Days::new(DAYS - 1))?;
    let recent: Vec<(NaiveDate, &Day)> = days
        .iter()
        .filter_map(|day| Some((date(day)?, day)))
        .filter(|(date, _)| (first..=today).contains(date))
        .collect();
    let (busiest, most) = recent
        .iter()
        .map(|(date, day)| (date, day.recordings))
        .max_by_key(|(_, count)| *count)?;
    let total: i64 = recent.iter().map(|(_, day)| day.recordings).sum();
    let bytes: i64 = recent.iter().map(|(_, day)| day.bytes).sum();
    let step = WIDTH / to_f64(DAYS);
    let mut path = String::new();
    for (date, day) in &recent {
        let x = to_f64((*date - first).num_days()) * step;
        let y = height(day.recordings, most);
        _ = write!(path, "M{x:.0} {HEIGHT}V{y:.1}h{:.0}V{HEIGHT}z", step - 2.0);
    }
    let count = human::count(total.cast_unsigned(), "recording");
    Some(Chart {
        path,
        text: format!(
            "{count} of the last {DAYS} days are archived, {} in all; the most, {most}, are of {busiest}.",
            size(bytes)
        ),
        most: most.to_string(),
        from: first.to_string(),
        to: today.to_string(),
    })
}

fn date(day: &Day) -> Option<NaiveDate> {
    day.date.parse().ok()
}

/// The height of a value, downwards from the top. What is not zero can be seen.
fn height(value: i64, most: i64) -> f64 {
    let share = to_f64(value) / to_f64(most.max(1));
    let least = if value > 0 { 0.01 } else { 0.0 };
    HEIGHT - HEIGHT * share.clamp(least, 1.0)
}

fn size(bytes: i64) -> String {
    human::size(u64::try_from(bytes).unwrap_or_default())
}

/// Numbers of pixels, days and bytes: a chart needs no more precision.
#[expect(
    clippy::cast_precision_loss,
    reason = "a chart has a few hundred points"
)]
fn to_f64(number: impl TryInto<i64>) -> f64 {
    number.try_into().unwrap_or(i64::MAX) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: &str, recordings: i64, bytes: i64) -> Day {
        Day {
            date: day.to_owned(),
            recordings,
            bytes,
        }
    }

    #[test]
    fn charts_say_in_words_what_they_show() {
        let days = [
            day("2026-01-01", 2, 1 << 20),
            day("2026-11-20", 1, 1 << 20),
            day("2026-11-22", 3, 2 << 20),
        ];
        let grown = growth(&days).expect("a chart");
        assert_eq!(
            grown.text,
            "From 2026-01-01 to 2026-11-22, the archive grew to 4.0 MiB."
        );
        assert_eq!(grown.path, "M0 100H0V75.0H596V50.0H600V0.0H600V100Z");
        let now = crate::model::time::parse("2026-11-23T20:02:27Z").expect("a time");
        let daily = daily(&days, now).expect("a chart");
        assert_eq!(
            daily.text,
            "4 recordings of the last 60 days are archived, 3.0 MiB in all; the most, 3, are of 2026-11-22."
        );
        assert_eq!(daily.path, "M560 100V66.7h8V100zM580 100V0.0h8V100z");
    }

    #[test]
    fn an_empty_archive_has_no_chart_and_a_large_one_a_small_chart() {
        assert!(growth(&[]).is_none());
        let start: NaiveDate = "2000-01-01".parse().expect("a date");
        let days: Vec<Day> = start
            .iter_days()
            .take(9_000)
            .map(|date| day(&date.to_string(), 1, 1))
            .collect();
        assert!(growth(&days).expect("a chart").path.len() < 2_500);
        assert!(growth(&[day("2026-01-01", 1, i64::MAX)]).is_some());
        assert!(growth(&[day("nonsense", 1, 1)]).is_none());
    }
}
