//! Since when the database fails: noted by whoever met it, shown by health until a write succeeds.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use super::error::Error;
use crate::human;
use crate::model::time;

/// How long after the last failure a write that succeeds counts: on a disk that is nearly full a small one does
/// while larger ones fail. Longer than tasks wait before they try again.
const QUIET: TimeDelta = TimeDelta::seconds(8);

/// Since when the database fails, and what it said last. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Trouble(watch::Sender<Option<Failing>>);

#[derive(Debug, Clone)]
struct Failing {
    since: DateTime<Utc>,
    last: DateTime<Utc>,
    error: String,
}

impl Trouble {
    /// Notes a failure; the first of a row is logged.
    pub fn note(&self, error: &Error, now: DateTime<Utc>) {
        let error = human::chain(error);
        self.0.send_modify(|trouble| {
            if trouble.is_none() {
                tracing::error!("the database can't be used now, and is tried again: {error}");
            }
            let since = trouble.as_ref().map_or(now, |failing| failing.since);
            *trouble = Some(Failing {
                since,
                last: now,
                error,
            });
        });
    }

    /// Waits until the database fails.
    pub async fn begun(&self) {
        // Can't fail: the sender is here.
        _ = self.0.subscribe().wait_for(Option::is_some).await;
    }

    /// Since when the database fails, and why.
    #[must_use]
    pub fn now(&self) -> Option<(DateTime<Utc>, String)> {
        let trouble = self.0.borrow();
        let failing = trouble.as_ref()?;
        Some((failing.since, failing.error.clone()))
    }

    pub(super) fn over(&self) {
        if let Some(failing) = self.0.send_replace(None) {
            tracing::info!(
                "the database works again; it failed since {}",
                time::to_text(failing.since)
            );
        }
    }

    pub(super) fn is_worth_a_try(&self, now: DateTime<Utc>) -> bool {
        let trouble = self.0.borrow();
        let quiet = |failing: &Failing| (now - failing.last).abs() >= QUIET;
        trouble.as_ref().is_some_and(quiet)
    }
}
