//! Watches the order of a walk, to decide whether it may stop early without missing a session.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::Session;
use crate::store::Horizon;

#[cfg(test)]
mod tests;

/// Watches whether sessions come newest first, by either of the times they carry.
#[derive(Debug)]
pub(super) struct OrderWatch {
    created: Track,
    started: Track,
}

#[derive(Debug)]
struct Track {
    newest_first: bool,
    newest: Option<DateTime<Utc>>,
    last: Option<DateTime<Utc>>,
}

impl Default for OrderWatch {
    fn default() -> Self {
        let track = || Track {
            newest_first: true,
            newest: None,
            last: None,
        };
        Self {
            created: track(),
            started: track(),
        }
    }
}

impl OrderWatch {
    pub(super) fn see(&mut self, session: &Session) {
        self.created.see(session.created_at);
        self.started.see(session.start_time);
    }

    /// Whether everything from here on is older, by at least `overlap`, than the newest of the last complete walk.
    pub(super) fn passed(&self, known: Horizon, overlap: Duration) -> bool {
        self.created.passed(known.created, overlap) || self.started.passed(known.started, overlap)
    }

    pub(super) fn horizon(&self) -> Horizon {
        Horizon {
            created: self.created.newest,
            started: self.started.newest,
        }
    }
}

impl Track {
    fn see(&mut self, time: Option<DateTime<Utc>>) {
        self.newest_first &= match (self.last, time) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(last), Some(time)) => time <= last,
        };
        self.newest = self.newest.max(time);
        self.last = time;
    }

    fn passed(&self, known: Option<DateTime<Utc>>, overlap: Duration) -> bool {
        // A list that begins with something older than is known does not show its newest end.
        self.newest_first
            && self.newest >= known
            && self
                .last
                .zip(known)
                .is_some_and(|(last, known)| last < known - overlap)
    }
}
