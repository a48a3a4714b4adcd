//! What follows an attempt that did not end with a file: a pure function.
//!
//! An outage never uses up a recording; only evidence that its content is wrong does, several times over.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::RecordingId;
use crate::store::Ending;

/// How often a recording's content may be wrong before a person has to look.
pub const MOST_FAULTS: u32 = 4;
/// For how long downloads pause when the disk or the credentials stop them.
pub const PAUSE: Duration = Duration::from_secs(30);
/// For how long a recording is put off for which there is no room, or no way to its place.
const PUT_OFF: Duration = Duration::from_mins(5);

/// The back-off of retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Before the first retry.
    pub initial: Duration,
    /// The longest.
    pub most: Duration,
}

/// Why an attempt ended without a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The vendor, the network or the media host: it will pass.
    Passing(String),
    /// The media host asked for patience.
    Patience(DateTime<Utc>),
    /// Evidence that the content is wrong.
    Content(String),
    /// Completed upstream, but without a link.
    NoLink,
    /// The vendor does not have it any more.
    Gone,
    /// It is no longer completed upstream.
    NotReady,
    /// The process is to stop.
    Stopped,
    /// The disk can't take it now: downloads pause.
    Disk(String),
    /// The disk can take others, but not this one: it is put off, and they go on.
    PutOff(String),
    /// The part can't be trusted: it was discarded.
    BrokenPart(String),
    /// The API refused the credentials, or asked for patience: downloads pause.
    Api(String, Option<DateTime<Utc>>),
}

impl Failure {
    /// What is kept as the attempt's error.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Passing(text)
            | Self::Content(text)
            | Self::Disk(text)
            | Self::PutOff(text)
            | Self::BrokenPart(text)
            | Self::Api(text, _) => Some(text.clone()),
            Self::Patience(until) => Some(format!(
                "the media host asked for patience until {}",
                crate::model::time::to_text(*until)
            )),
            Self::NoLink => Some("completed upstream, but without a link".to_owned()),
            Self::Gone => Some("the vendor no longer has it".to_owned()),
            Self::NotReady => Some("it is no longer completed upstream".to_owned()),
            Self::Stopped => None,
        }
    }
}

/// What the recording's earlier attempts came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// The recording; spreads the retries of many.
    pub id: RecordingId,
    /// Failures in a row that pass.
    pub retries: u32,
    /// Times its content was wrong.
    pub faults: u32,
    /// This attempt brought bytes that are kept.
    pub progress: bool,
}

/// Decides what follows.
#[must_use]
pub fn decide(failure: &Failure, history: History, backoff: Backoff, now: DateTime<Utc>) -> Ending {
    let retries = if history.progress { 0 } else { history.retries };
    let retry = |at, fault, no_link| Ending::Retry {
        at,
        fault,
        progress: history.progress,
        no_link,
    };
    let later = now + wait(backoff, retries, history.id);
    match failure {
        Failure::Passing(_) | Failure::BrokenPart(_) => retry(later, false, false),
        // A host that asks for a second of patience again and again is left alone for longer.
        Failure::Patience(until) => retry(later.max(*until), false, false),
        Failure::Content(_) if history.faults + 1 >= MOST_FAULTS => Ending::Failed,
        Failure::Content(_) => retry(now + wait(backoff, history.faults, history.id), true, false),
        Failure::NoLink => retry(later, false, true),
        Failure::Gone => Ending::Gone,
        Failure::NotReady => Ending::NotReady,
        Failure::Stopped => Ending::Stopped,
        Failure::Disk(_) => Ending::Released { at: now + PAUSE },
        Failure::PutOff(_) => Ending::Released { at: now + PUT_OFF },
        Failure::Api(_, until) => Ending::Released {
            at: until.unwrap_or(now + PAUSE),
        },
    }
}

/// Doubles with each retry up to the longest, spread by a quarter either way.
fn wait(backoff: Backoff, retries: u32, id: RecordingId) -> Duration {
    let doubled = backoff
        .initial
        .saturating_mul(1_u32.checked_shl(retries).unwrap_or(u32::MAX));
    let mut hasher = DefaultHasher::new();
    (id, retries).hash(&mut hasher);
    let spread = u32::try_from(hasher.finish() % 512).unwrap_or(0);
    doubled.min(backoff.most) * (768 + spread) / 1024
}

#[cfg(test)]
mod tests;
