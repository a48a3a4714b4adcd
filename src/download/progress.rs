//! What is being downloaded right now: for progress bars, the status line, metrics and the disk reserve.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::RecordingId;
use crate::store::AttemptOutcome;

/// What a download of unknown length is assumed to need still, until it is known.
const UNKNOWN: u64 = 64 << 20;

/// One download under way.
#[derive(Debug, Default)]
pub struct Progress {
    total: AtomicU64,
    done: AtomicU64,
    /// The disk was found to have room for it.
    admitted: AtomicBool,
    /// The room's name, for people.
    pub room: String,
}

impl Progress {
    /// Bytes of the whole; 0: unknown.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Bytes that are there.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Bytes it will still write.
    fn outstanding(&self) -> u64 {
        match self.total() {
            0 => UNKNOWN,
            total => total.saturating_sub(self.done()),
        }
    }

    pub(super) fn set(&self, done: u64, total: Option<u64>) {
        self.done.store(done, Ordering::Relaxed);
        if let Some(total) = total {
            self.total.store(total, Ordering::Relaxed);
        }
    }
}

/// All downloads under way. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    active: Mutex<BTreeMap<RecordingId, Arc<Progress>>>,
    received: AtomicU64,
    /// Bytes of the files that were archived.
    archived: AtomicU64,
    outcomes: Mutex<BTreeMap<AttemptOutcome, u64>>,
}

/// A place on the board, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    board: Board,
    id: RecordingId,
    pub progress: Arc<Progress>,
}

impl Board {
    /// The downloads under way.
    #[must_use]
    pub fn active(&self) -> Vec<(RecordingId, Arc<Progress>)> {
        self.lock()
            .iter()
            .map(|(id, progress)| (*id, progress.clone()))
            .collect()
    }

    /// Admits a download that needs so many bytes more to so much room on the disk, if what those
    /// admitted before it have still to write leaves enough; in one step, so that of two that don't
    /// both fit one is admitted. On refusal it returns what the others have still to write.
    pub(super) fn admit(&self, id: RecordingId, needed: u64, room: u64) -> Result<(), u64> {
        let active = self.lock();
        let others = active
            .iter()
            .filter(|(other, progress)| **other != id && progress.admitted.load(Ordering::Relaxed))
            .fold(0, |sum: u64, (_, progress)| {
                sum.saturating_add(progress.outstanding())
            });
        let fits = room > 0 && others.saturating_add(needed) <= room;
        if let Some(progress) = active.get(&id) {
            progress.admitted.store(fits, Ordering::Relaxed);
        }
        if fits { Ok(()) } else { Err(others) }
    }

    /// Bytes received since the process began.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, bytes: u64) {
        self.0.received.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Attempts that have ended since the process began, by outcome.
    #[must_use]
    pub fn outcomes(&self) -> BTreeMap<AttemptOutcome, u64> {
        self.0
            .outcomes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Bytes of the files that were archived since the process began.
    #[must_use]
    pub fn archived(&self) -> u64 {
        self.0.archived.load(Ordering::Relaxed)
    }

    /// Notes that an attempt ended, and how many bytes it archived.
    pub(super) fn ended(&self, outcome: AttemptOutcome, archived: u64) {
        self.0.archived.fetch_add(archived, Ordering::Relaxed);
        let mut outcomes = self
            .0
            .outcomes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *outcomes.entry(outcome).or_default() += 1;
    }

    pub(super) fn enter(&self, id: RecordingId, room: &str, total: Option<u64>) -> Place {
        let progress = Arc::new(Progress {
            room: room.to_owned(),
            ..Progress::default()
        });
        progress.set(0, total);
        self.lock().insert(id, progress.clone());
        Place {
            board: self.clone(),
            id,
            progress,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RecordingId, Arc<Progress>>> {
        self.0.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.board.lock().remove(&self.id);
    }
}
