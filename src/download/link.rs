//! Where links come from: the listing's while it lives long enough to start with, else a fresh one; and which
//! hosts may be asked.

use std::time::Duration;

use chrono::TimeDelta;

use super::Setup;
use super::failure::Failure;
use crate::model::{Listed, MediaLink, UpstreamStatus};
use crate::signalwire::{Client, Error};
use crate::store::Claim;

/// Life that is comfortably enough to start a request with; S3 checks it at the start alone.
const ENOUGH: Duration = Duration::from_mins(1);
/// For how long a recording waits whose host fails, should its recovery not be noticed before.
const HOST_WAITS: TimeDelta = TimeDelta::minutes(10);

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
