//! What wakes the queue: the ring, and places among the transfers that come free.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Wakes the queue. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Ring(Arc<Notify>);

impl Ring {
    /// There may be something to download.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Ends when it was rung since it was last heard; rings count from the first poll, or `enable`, on.
    pub(super) fn rung(&self) -> Notified<'_> {
        self.0.notified()
    }
}

/// A place among the transfers, given back when dropped. A recording that lands takes none.
pub(super) struct Slot {
    taken: Arc<AtomicUsize>,
    ring: Ring,
}

impl Slot {
    pub(super) fn take(taken: &Arc<AtomicUsize>, ring: &Ring) -> Self {
        taken.fetch_add(1, Ordering::Relaxed);
        Self {
            taken: taken.clone(),
            ring: ring.clone(),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
        self.ring.ring();
    }
}
