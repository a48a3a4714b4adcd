//! The state of a running pass, why it may end early, and its result.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::plan::Kind;
use crate::human;
use crate::model::SessionId;
use crate::signalwire;
use crate::store::{self, PassCounts, PassOutcome, Seen};

/// The result of a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub outcome: PassOutcome,
    /// Numbers of sessions, recordings and requests.
    pub counts: PassCounts,
    /// Why it was not complete, and what it put off or rejected; `None`: nothing.
    pub error: Option<String>,
    /// Recordings it found that can be downloaded now.
    pub due: u64,
    /// When the rate limit ends that ended the pass; `None`: there was none.
    pub rate_limited_until: Option<DateTime<Utc>>,
}

/// Why a pass, or a part of it, ended early.
#[derive(Debug)]
pub(super) enum Halt {
    Stopped,
    Api(signalwire::Error),
    Store(store::Error),
}

impl From<signalwire::Error> for Halt {
    fn from(error: signalwire::Error) -> Self {
        Self::Api(error)
    }
}

impl From<store::Error> for Halt {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// The state of a running pass.
pub(super) struct Run {
    pub kind: Kind,
    pub started: DateTime<Utc>,
    pub counts: PassCounts,
    pub due: u64,
    /// Items of lists that could not be read.
    pub rejected: u64,
    /// Those of them that are recordings.
    pub recordings_rejected: u64,
    /// What keeps the pass from being complete.
    pub failures: Vec<String>,
    /// Failed requests for single objects: they are tried again later, and the pass continues.
    pub put_off: Vec<String>,
    /// Sessions that the walk saw running: they need no request of their own.
    pub running: HashSet<SessionId>,
    /// What a sweep has seen.
    pub seen: Seen,
    /// Pages that the walk over the sessions brought.
    pub pages: u64,
    /// When the last request succeeded (monotonic); before that, when the pass began.
    pub last_success: Duration,
}

/// The result of listing one session, complete or not.
#[derive(Debug, Default)]
pub(super) struct ListingResult {
    pub sessions_listed: u64,
    pub recordings_seen: u64,
    pub recordings_new: u64,
    pub due: u64,
    pub rejected: u64,
    /// Why the session could not be described, though its recordings were listed.
    pub put_off: Option<String>,
}

impl Run {
    pub fn new(kind: Kind, started: DateTime<Utc>, now: Duration) -> Self {
        Self {
            kind,
            started,
            counts: PassCounts::default(),
            due: 0,
            rejected: 0,
            recordings_rejected: 0,
            failures: Vec::new(),
            put_off: Vec::new(),
            running: HashSet::new(),
            seen: Seen::default(),
            pages: 0,
            last_success: now,
        }
    }

    pub fn add(&mut self, listing: ListingResult) {
        self.counts.sessions_listed += listing.sessions_listed;
        self.counts.recordings_seen += listing.recordings_seen;
        self.counts.recordings_new += listing.recordings_new;
        self.due += listing.due;
        self.rejected += listing.rejected;
        self.put_off.extend(listing.put_off);
    }

    pub fn error(&self) -> Option<String> {
        let mut parts = Vec::new();
        if let Some(first) = self.failures.first() {
            parts.push(match self.failures.len() {
                1 => first.clone(),
                n => format!(
                    "{first} (and {})",
                    human::count(n as u64 - 1, "more failure")
                ),
            });
        }
        if let Some(first) = self.put_off.first() {
            parts.push(match self.put_off.len() {
                1 => format!("1 request failed and is tried again later: {first}"),
                n => format!("{n} requests failed and are tried again later; the first: {first}"),
            });
        }
        if self.rejected > 0 {
            parts.push(match self.rejected {
                1 => "1 item could not be read and was rejected".to_owned(),
                n => format!("{n} items could not be read and were rejected"),
            });
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// Whether every other request would fail too: refused credentials, or a rate limit.
pub(super) fn is_final(error: &signalwire::Error) -> bool {
    is_rate_limit(error) || matches!(error, signalwire::Error::Credentials { .. })
}

pub(super) fn is_rate_limit(error: &signalwire::Error) -> bool {
    matches!(error, signalwire::Error::RateLimited { .. })
}
