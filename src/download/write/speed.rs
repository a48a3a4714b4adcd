//! How slow a transfer may be.

use std::time::Duration;

/// A transfer slower than this, in bytes a second over a whole window, is a stalled one.
const SLOWEST: u64 = 1024;

/// Distinguishes a stalled transfer from a slow one: each window has to bring some bytes. Only the time spent
/// waiting for the network counts.
pub(in crate::download) struct Speed {
    window: Duration,
    waited: Duration,
    bytes: u64,
}

impl Speed {
    pub(in crate::download) fn new(stall_timeout: Duration) -> Self {
        Self {
            window: stall_timeout * 2,
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    pub(in crate::download) fn too_slow(&mut self, bytes: u64, waited: Duration) -> bool {
        self.waited += waited;
        self.bytes += bytes;
        if self.waited < self.window {
            return false;
        }
        let least = SLOWEST * self.waited.as_secs();
        let slow = self.bytes < least;
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        slow
    }
}
