//! What copies to one target work with.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Target;
use crate::archive::root::Root;
use crate::clock::Clock;
use crate::cooldown::Cooldowns;
use crate::schedule::Schedule;
use crate::store::{Store, TargetId};

/// What copies to one target work with.
#[derive(Clone)]
pub struct Setup {
    /// NAME of `[copies.NAME]`.
    pub name: String,
    /// Its row.
    pub id: TargetId,
    /// The object store.
    pub target: Target,
    /// SignalWire's project, for sidecars.
    pub project_id: String,
    /// The rows.
    pub store: Store,
    /// The files.
    pub root: Arc<Root>,
    /// The time.
    pub clock: Clock,
    /// The end of the service, or of this configuration.
    pub stop: CancellationToken,
    /// Rate limits, shared with everything else that sends requests.
    pub cooldowns: Cooldowns,
    /// Uploads at the same time; of small files four in the place of one.
    pub concurrency: usize,
    /// The length of the parts of an upload.
    pub part_bytes: u64,
    /// The wait before the first retry of a copy, and the longest.
    pub backoff: (Duration, Duration),
    /// When all copies are looked for.
    pub verify_schedule: Schedule,
    /// Bytes that are read back and hashed each time.
    pub verify_bytes: u64,
    /// Called whenever something made progress.
    pub beat: Arc<dyn Fn() + Send + Sync>,
}

/// A larger file is not sent only to be refused, because there is one already.
const SMALL: u64 = 1 << 20;

/// Permits for a part in memory.
pub(super) const PART_PERMITS: u32 = 4;
/// Permits for a small file: so many take the place of a part.
pub(super) const FILE_PERMITS: u32 = 1;

impl Setup {
    /// All permits.
    pub(super) fn all_permits(&self) -> u32 {
        let concurrency = u32::try_from(self.concurrency).unwrap_or(u32::MAX);
        concurrency.saturating_mul(PART_PERMITS)
    }

    /// The permits for what is in memory at once of a file.
    pub(super) fn permits(&self, bytes: u64) -> u32 {
        if self.is_small(bytes) {
            FILE_PERMITS
        } else {
            PART_PERMITS
        }
    }

    /// Whether a file is sent in one request, and takes about as long as any other request.
    pub(super) fn is_small(&self, bytes: u64) -> bool {
        bytes <= SMALL.min(self.part_bytes)
    }

    /// The wait after so many failures in a row.
    pub(super) fn wait(&self, failures: u32) -> Duration {
        let (first, most) = self.backoff;
        let wait = first.saturating_mul(2_u32.saturating_pow(failures.min(20)));
        wait.min(most)
    }
}

/// An upload has 10,000 parts at most (S3's limit): larger files get larger parts, in whole MiB.
pub(super) fn part_bytes(file: u64, configured: u64) -> u64 {
    const MOST_PARTS: u64 = 10_000;
    if file.div_ceil(configured) <= MOST_PARTS {
        return configured;
    }
    file.div_ceil(MOST_PARTS).next_multiple_of(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_upload_has_more_parts_than_s3_allows() {
        let (mib, gib) = (1 << 20, 1_u64 << 30);
        assert_eq!(part_bytes(1, 8 * mib), 8 * mib);
        assert_eq!(part_bytes(80_000 * mib, 8 * mib), 8 * mib);
        for file in [80_000 * mib + 1, 500 * gib, 5 * 1024 * gib] {
            let part = part_bytes(file, 8 * mib);
            assert!(file.div_ceil(part) <= 10_000 && part <= 5 * gib, "{file}");
            assert_eq!(part % mib, 0);
        }
    }
}
