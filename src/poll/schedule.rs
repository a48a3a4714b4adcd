//! When to list a session's recordings again: a pure function. At each poll while the session runs (less often
//! after some days) and for 15 minutes after its end, then at growing intervals until it is settled.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::SessionStatus;

#[cfg(test)]
mod tests;

/// How long after its end a session is listed at each poll.
const EAGER: Duration = Duration::from_mins(15);
/// How long after its start a running session is listed at each poll. Later, when the room is always open or
/// SignalWire never ended the session, it is listed less often.
const LONG_RUN: Duration = Duration::from_hours(36);
/// After this time it is listed only once a day, unless something is being recorded.
const ENDLESS_RUN: Duration = Duration::from_hours(7 * 24);
/// The longest interval between two listings of a session that has ended but is not settled.
const LONGEST_STEP: Duration = Duration::from_hours(6);

/// When a session is listed next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// List it again at the next poll.
    NextPoll,
    /// List it again after this long.
    After(Duration),
    /// Only sweeps look at it from now on.
    Settled,
}

/// Decides when to list a session again.
///
/// `now` is SignalWire's time, as `started_at` and `ended_at` are. `open`: some recording of it is not
/// completed. `settle`: how long after its end it may still bring recordings.
#[must_use]
pub fn next_listing(
    status: &SessionStatus,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    open: bool,
    now: DateTime<Utc>,
    settle: Duration,
) -> Listing {
    let age = |time: DateTime<Utc>| (now - time).to_std().unwrap_or_default();
    let Some(ended) = ended_at.map(age) else {
        return match (status, started_at.map(age)) {
            // An undocumented status may mean anything: list it for ever, less and less often.
            (SessionStatus::Other(_), Some(age)) => step(age),
            (_, Some(age)) if age >= ENDLESS_RUN && !open => {
                Listing::After(Duration::from_hours(24))
            }
            (_, Some(age)) if age >= LONG_RUN => Listing::After(Duration::from_hours(1)),
            _ => Listing::NextPoll,
        };
    };
    if ended < EAGER {
        Listing::NextPoll
    } else if open {
        step(ended)
    } else if ended >= settle {
        Listing::Settled
    } else {
        match step(ended) {
            Listing::After(step) => Listing::After(step.min(settle.saturating_sub(ended))),
            other => other,
        }
    }
}

/// Half the age, so that the number of listings grows only with the logarithm of the age.
fn step(age: Duration) -> Listing {
    if age < EAGER {
        Listing::NextPoll
    } else {
        Listing::After((age / 2).min(LONGEST_STEP))
    }
}
