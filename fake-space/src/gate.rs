//! A gate that holds requests until a test opens it, so that no test has to sleep.

use std::sync::Arc;

use tokio::sync::watch;

/// A gate, closed at first; clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate {
    open: Arc<watch::Sender<bool>>,
    arrived: Arc<watch::Sender<usize>>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self {
            open: Arc::new(watch::Sender::new(false)),
            arrived: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Lets every waiting and every later request through.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until `count` requests in all have reached the gate.
    pub async fn arrived(&self, count: usize) {
        let mut arrived = self.arrived.subscribe();
        // Waiting fails only when the sender is gone, and `self` holds it.
        let _ = arrived.wait_for(|now| *now >= count).await;
    }

    pub(crate) async fn pass(&self) {
        self.arrived.send_modify(|count| *count += 1);
        let _ = self.open.subscribe().wait_for(|open| *open).await;
    }
}
