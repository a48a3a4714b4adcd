//! What people and scripts read: lists, one recording in full, counts, what is left.

mod detail;
mod inspect;
mod left;
mod like;
mod listing;
mod views;

pub use detail::{Attempt, Detail};
pub use left::{DueNow, Left};
pub use like::Candidate;
pub use listing::{Filter, Key, Row};
pub use views::{Counts, FailedAttempt, Failure, Gap, LastPass};

#[cfg(test)]
pub(super) const STATEMENTS: &[&[&str]] = &[
    detail::STATEMENTS,
    inspect::STATEMENTS,
    left::STATEMENTS,
    like::STATEMENTS,
    listing::STATEMENTS,
    views::STATEMENTS,
];
