//! Where links come from: the listing's while it lives long enough to start with, else a fresh one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::retry::Failure;
use crate::clock::Clock;
use crate::links::Links;
use crate::model::{MediaLink, UpstreamStatus};
use crate::signalwire::{Client, Error};
use crate::store::Claim;

/// Life that is comfortably enough to start a request with; S3 checks it at the start alone.
const ENOUGH: Duration = Duration::from_mins(1);
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
    fn life(&self, size: Option<u64>, asked: Duration) -> Duration {
        let needed = size.unwrap_or(0) / self.0.load(Ordering::Relaxed).max(1) * 2;
        Duration::from_secs(needed.max(asked.as_secs()).clamp(LIFE.0, LIFE.1))
    }
}

/// A link for a claimed recording. With `fresh` the listing's is passed over. What a fresh answer tells
/// of the recording replaces what the claim knew.
///
/// # Errors
/// [`Failure`], if there is none to be had.
pub(super) async fn link(
    client: &Client,
    links: &Links,
    rate: &Rate,
    clock: &Clock,
    claim: &mut Claim,
    fresh: bool,
) -> Result<MediaLink, Failure> {
    let enough = ENOUGH.min(client.media_ttl() / 3);
    if let Some(link) = links.take(claim.id, enough, clock.monotonic())
        && !fresh
    {
        return Ok(link);
    }
    let life = rate.life(claim.size_bytes, client.media_ttl());
    let listed = match client.room_recording(claim.id, life).await {
        Ok(Some(listed)) => listed,
        Ok(None) => return Err(Failure::Gone),
        Err(error @ Error::Patience { until }) => {
            return Err(Failure::Api(error.to_string(), Some(until)));
        }
        Err(error @ Error::Credentials { .. }) => {
            return Err(Failure::Api(error.to_string(), None));
        }
        Err(error) => return Err(Failure::Passing(error.to_string())),
    };
    if listed.recording.status != UpstreamStatus::Completed {
        return Err(Failure::NotReady);
    }
    claim.size_bytes = listed.recording.size_bytes;
    claim.duration_seconds = listed.recording.duration_seconds;
    claim.format = listed.recording.format;
    listed
        .link
        .and_then(|link| link.read(claim.id))
        .ok_or(Failure::NoLink)
}
