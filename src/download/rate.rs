//! How fast downloads have been, and so how long a link has to live.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A link's life may be asked for within these bounds: `SigV4` itself ends at a week.
const LIFE: (u64, u64) = (60, 604_800);

/// The rate downloads have had lately, in bytes a second; guides how long a link has to live.
#[derive(Debug)]
pub struct Rate(AtomicU64);

impl Default for Rate {
    /// A slow line, until something was measured.
    fn default() -> Self {
        Self(AtomicU64::new(512 << 10))
    }
}

impl Rate {
    pub(super) fn measured(&self, bytes: u64, took: Duration) {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        if bytes < 1 << 20 || millis == 0 {
            return;
        }
        let now = bytes.saturating_mul(1000) / millis;
        let before = self.0.load(Ordering::Relaxed);
        self.0
            .store((before / 4 * 3 + now / 4).max(1), Ordering::Relaxed);
    }

    /// The life a link should have for a file of this size: time enough to fetch it twice.
    pub(super) fn life(&self, size: Option<u64>, asked: Duration) -> Duration {
        let needed = size.unwrap_or(0) / self.0.load(Ordering::Relaxed).max(1) * 2;
        Duration::from_secs(needed.max(asked.as_secs()).clamp(LIFE.0, LIFE.1))
    }
}
