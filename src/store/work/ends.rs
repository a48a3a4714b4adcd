//! Ends of attempts that wait to be written down together.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use super::claim::Claim;
use super::ending::{Ending, Tally};
use crate::store::error::Result;

/// Ends that wait to be written down. Clones share them.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Ends {
    pub(super) waiting: Arc<Mutex<Vec<End>>>,
    /// Held by who writes for all that wait.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) claim: Claim,
    pub(super) ending: Ending,
    pub(super) tally: Tally,
    pub(super) at: DateTime<Utc>,
    pub(super) written: oneshot::Sender<Result<()>>,
}

impl Ends {
    pub(super) fn push(&self, end: End) {
        self.lock().push(end);
    }

    pub(super) fn take(&self) -> Vec<End> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<End>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
