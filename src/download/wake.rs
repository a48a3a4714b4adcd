//! What wakes the queue: a notification, and places among the transfers that come free.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Wakes the queue. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// There may be something to download.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Ends when it was woken since the last time; wakes count from the first poll, or `enable`, on.
    pub(super) fn woken(&self) -> Notified<'_> {
        self.0.notified()
    }
}

/// A place among the transfers, given back when dropped. A recording that lands takes none.
pub(super) struct Slot {
    taken: Arc<AtomicUsize>,
    wake: Wake,
}

impl Slot {
    pub(super) fn take(taken: &Arc<AtomicUsize>, wake: &Wake) -> Self {
        taken.fetch_add(1, Ordering::Relaxed);
        Self {
            taken: taken.clone(),
            wake: wake.clone(),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
        self.wake.wake();
    }
}
