//! The copies in `status`.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::table;
use super::super::table::Column::{Left, Note, Right};
use super::super::width::Width;
use crate::human;
use crate::store::CopyFacts;

/// A sidecar follows its copy within minutes.
const LATE: TimeDelta = TimeDelta::minutes(10);

/// What is wrong with a target.
fn note(one: &CopyFacts, now: DateTime<Utc>) -> String {
    let late = one.sidecars_since.filter(|since| now - *since > LATE);
    match (&one.error, late) {
        (Some(error), _) => error.clone(),
        (None, Some(since)) => {
            let age = (now - since).to_std().unwrap_or_default();
            format!("copies without a sidecar for {}", human::duration(age))
        }
        (None, None) => String::new(),
    }
}

/// A table of the targets; nothing without any.
pub(super) fn render(copies: &[CopyFacts], now: DateTime<Utc>, width: Width) -> String {
    if copies.is_empty() {
        return String::new();
    }
    let ago = |at: Option<DateTime<Utc>>| at.map(|at| human::age(at, now)).unwrap_or_default();
    let rows = copies.iter().map(|one| {
        let state = match (one.configured, one.failing_since) {
            (false, _) => "not configured",
            (true, Some(_)) => "fails",
            (true, None) => "works",
        };
        [
            one.target.clone(),
            state.to_owned(),
            one.copied.to_string(),
            one.pending.to_string(),
            ago(one.oldest),
            one.verified_at
                .map_or_else(|| "never".to_owned(), |at| human::age(at, now)),
            note(one, now),
        ]
    });
    let columns = [
        Left("COPIES"),
        Left("STATE"),
        Right("COPIED"),
        Right("PENDING"),
        Left("OLDEST"),
        Left("VERIFIED"),
        Note("ERROR"),
    ];
    format!("\n{}", table::render(columns, rows, width))
}
