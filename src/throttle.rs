//! A bandwidth limit over many transfers: a bucket that fills with time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;

/// Shares a number of bytes a second among all transfers. Clones share it.
#[derive(Debug, Clone)]
pub struct Throttle {
    limit: u64,
    /// Monotonic time at which everything taken so far is paid for.
    paid_until: Arc<Mutex<Duration>>,
    clock: Clock,
}

impl Throttle {
    /// A limit in bytes a second; 0: none.
    #[must_use]
    pub fn new(limit: u64, clock: Clock) -> Self {
        Self {
            limit,
            paid_until: Arc::default(),
            clock,
        }
    }

    /// Takes bytes that have arrived or are to be sent, and waits until they are paid for.
    pub async fn take(&self, bytes: u64) {
        let wait = self.charge(bytes);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes bytes, and returns how long it is until they are paid for.
    fn charge(&self, bytes: u64) -> Duration {
        if self.limit == 0 {
            return Duration::ZERO;
        }
        let now = self.clock.monotonic();
        let mut paid_until = self
            .paid_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let cost = Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / self.limit);
        // What was not used in the last tenth of a second may still be.
        *paid_until = (*paid_until).max(now.saturating_sub(Duration::from_millis(100))) + cost;
        paid_until.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests;
