//! Where links come from: the listing's while it lives long enough to start with, else a fresh one; and which
//! hosts may be asked.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;

use super::Setup;
use super::failure::Failure;
use crate::model::{Listed, MediaLink, UpstreamStatus};
use crate::signalwire::{Client, Error};
use crate::store::Claim;

/// Life that is comfortably enough to start a request with; S3 checks it at the start alone.
const ENOUGH: Duration = Duration::from_mins(1);
/// A link's life may be asked for within these bounds: `SigV4` itself ends at a week.
const LIFE: (u64, u64) = (60, 604_800);

/// For how long a recording waits whose host fails, should its recovery not be noticed before.
const HOST_WAITS: TimeDelta = TimeDelta::minutes(10);

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

/// A link for a claimed recording. With `fresh` the listing's is passed over. What a fresh answer says
/// of the recording replaces what the claim knew, and it is `described` then.
///
/// # Errors
/// [`Failure`], if there is none to be had.
pub(super) async fn link(
    setup: &Setup,
    claim: &mut Claim,
    described: &mut bool,
    fresh: bool,
) -> Result<MediaLink, Failure> {
    let (client, clock) = (&setup.client, &setup.clock);
    let enough = ENOUGH.min(client.media_ttl() / 3);
    if let Some(link) = setup.links.take(claim.id, enough, clock.monotonic())
        && !fresh
    {
        return Ok(link);
    }
    // A host that fails costs no link either.
    if let Some(host) = &claim.media_host {
        may_ask(setup, host)?;
    }
    let life = setup.rate.life(claim.size_bytes, client.media_ttl());
    let listed = describe(client, claim, life).await?;
    *described = true;
    listed
        .link
        .and_then(|link| link.read(claim.id))
        .ok_or(Failure::NoLink)
}

/// Whether a media host may be asked now.
///
/// # Errors
/// [`Failure::HostWaits`].
pub(super) fn may_ask(setup: &Setup, host: &str) -> Result<(), Failure> {
    let now = setup.clock.now();
    let waits = |until, error| Failure::HostWaits {
        host: host.to_owned(),
        until,
        error,
    };
    if let Some(until) = setup.cooldowns.until(host, now) {
        return Err(waits(
            until,
            "it is rate-limiting us (Retry-After)".to_owned(),
        ));
    }
    setup
        .hosts
        .may_be_asked(host, setup.clock.monotonic())
        .map_err(|wait| waits(now + HOST_WAITS, wait.error))
}

/// Asks SignalWire for the recording: what it says replaces what the claim knew from a list.
pub(super) async fn describe(
    client: &Client,
    claim: &mut Claim,
    life: Duration,
) -> Result<Listed, Failure> {
    let answer = match client.room_recording(claim.id, life).await {
        // One 404 is no proof: a list may still have it.
        Ok(None) => {
            client
                .recording_still_listed(claim.session_id, claim.id)
                .await
        }
        answer => answer,
    };
    let listed = match answer {
        Ok(Some(listed)) => listed,
        Ok(None) => return Err(Failure::Gone),
        Err(error @ (Error::RateLimited { .. } | Error::Credentials { .. })) => {
            return Err(Failure::Api(error));
        }
        Err(error) => return Err(Failure::Mint(error)),
    };
    if listed.recording.status != UpstreamStatus::Completed {
        let word = listed
            .recording
            .status
            .as_str()
            .unwrap_or("without a status");
        return Err(Failure::NotReady(word.to_owned()));
    }
    claim.size_bytes = listed.recording.size_bytes;
    claim.duration_seconds = listed.recording.duration_seconds;
    claim.format.clone_from(&listed.recording.format);
    Ok(listed)
}
