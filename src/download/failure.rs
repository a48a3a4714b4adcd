//! Why an attempt ended without a file, and what follows: a pure function.
//!
//! Nothing but a complete transfer is evidence about a recording. Everything else passes, with back-off, and
//! never ends in a final state while SignalWire lists the recording.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::{RecordingId, time};
use crate::signalwire;
use crate::store::{self, Doubt, Ending, Retry, WaitsFor};

/// For how long downloads pause when the disk or the API stops them.
pub const PAUSE: Duration = Duration::from_secs(30);
/// How soon a complete transfer that was not plausible is compared with another: the file may still be being
/// written upstream.
const COMPARE_AFTER: Duration = Duration::from_mins(2);
/// For how long a recording waits for which there is no room, should no room be noticed before.
const NO_SPACE: Duration = Duration::from_mins(5);
/// The longest wait for a recording whose place can't be used: the operator may have repaired it.
const NO_PLACE: Duration = Duration::from_secs(90);
/// For how long a recording waits after a failure of the database.
const NO_DATABASE: Duration = Duration::from_secs(5);

/// The back-off of retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Before the first retry.
    pub initial: Duration,
    /// The longest.
    pub most: Duration,
}

/// Why an attempt ended without a file.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The media host can't be reached, says nothing, or answers with a 5xx status.
    #[error(transparent)]
    Host(Cause),
    /// The media host answers with something other than the recording, or its link can't be used.
    #[error(transparent)]
    Refused(Cause),
    /// The transfer broke off; what came of it is kept where it can be.
    #[error(transparent)]
    BrokeOff(Cause),
    /// The media host fails, or rate-limits us: it was not asked.
    #[error("the media host {host} is not asked now: {error}")]
    HostWaits {
        /// The host and port.
        host: String,
        /// The recording waits until then, or until the host works again.
        until: DateTime<Utc>,
        /// What happened last.
        error: String,
    },
    /// The media host rate-limits us.
    #[error("the media host is rate-limiting us (Retry-After) until {}", time::to_text(*.0))]
    RateLimited(DateTime<Utc>),
    /// SignalWire did not give a link to this recording.
    #[error("could not get a link")]
    Mint(#[source] signalwire::Error),
    /// Completed upstream, but without a link.
    #[error("completed upstream, but without a link")]
    NoLink,
    /// The list says completed, the recording itself does not.
    #[error("SignalWire lists it as completed, but reports it as {0}")]
    NotReady(String),
    /// SignalWire does not have it any more.
    #[error("SignalWire no longer has it")]
    Gone,
    /// The process is to stop.
    #[error("stopped")]
    Stopped,
    /// The disk can't be written to: downloads pause.
    #[error(transparent)]
    Disk(Cause),
    /// The disk has no room for this one.
    #[error("{text}")]
    Space {
        /// How much is needed and how much is there.
        text: String,
        /// Bytes it needs besides the reserve.
        needed: u64,
    },
    /// The recording's place in the archive can't be used; its part is kept.
    #[error(transparent)]
    Place(Cause),
    /// The part can't be trusted: it was discarded.
    #[error(transparent)]
    BrokenPart(Cause),
    /// The API refused the credentials, or rate-limits us: downloads pause.
    #[error(transparent)]
    Api(signalwire::Error),
    /// A complete transfer that is not plausible: the next one is compared with it.
    #[error("the transfer is complete, but {concerns}: it is downloaded once more and compared")]
    Doubtful {
        /// What is odd about it.
        concerns: String,
        /// What the next one is compared with.
        doubt: Doubt,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] store::Error),
}

/// What was wrong: in words, or as an error, or in words with the error that says why.
#[derive(Debug)]
pub struct Cause {
    what: Option<Cow<'static, str>>,
    source: Option<Source>,
}

type Source = Box<dyn Error + Send + Sync>;

impl Cause {
    /// What could not be done, and why.
    pub fn of(what: impl Into<Cow<'static, str>>, source: impl Into<Source>) -> Self {
        Self {
            what: Some(what.into()),
            source: Some(source.into()),
        }
    }

    /// An error that says itself what could not be done.
    pub fn error(source: impl Into<Source>) -> Self {
        Self {
            what: None,
            source: Some(source.into()),
        }
    }
}

impl<T: Into<Cow<'static, str>>> From<T> for Cause {
    fn from(what: T) -> Self {
        Self {
            what: Some(what.into()),
            source: None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.what, &self.source) {
            (Some(what), _) => f.write_str(what),
            (None, Some(source)) => source.fmt(f),
            (None, None) => Ok(()),
        }
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source: &(dyn Error + 'static) = &**self.source.as_ref()?;
        match self.what {
            Some(_) => Some(source),
            None => source.source(),
        }
    }
}

impl Failure {
    /// The API said that it is of no use to ask again before then.
    #[must_use]
    pub fn asked_until(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Api(signalwire::Error::RateLimited { until }) => Some(*until),
            _ => None,
        }
    }
}

/// What the recording's earlier attempts came to, and how the others fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// The recording; spreads the retries of many.
    pub id: RecordingId,
    /// Failures in a row.
    pub retries: u32,
    /// This attempt brought bytes that are kept.
    pub progress: bool,
    /// Others fail as well: what ends that ends this one's wait.
    pub standstill: bool,
}

/// Decides what follows.
#[must_use]
pub fn decide(failure: &Failure, history: History, backoff: Backoff, now: DateTime<Utc>) -> Ending {
    let retries = if history.progress { 0 } else { history.retries };
    let wait = wait(backoff, retries, history.id);
    let retry = |at, waits_for, doubt: Option<&Doubt>| {
        Ending::Retry(Retry {
            at,
            waits_for,
            progress: history.progress || doubt.is_some(),
            doubt: doubt.cloned(),
        })
    };
    let recovery = history.standstill.then_some(WaitsFor::Recovery);
    let released = |at, waits_for| Ending::Released { at, waits_for };
    match failure {
        Failure::Host(_)
        | Failure::Refused(_)
        | Failure::Mint(_)
        | Failure::NotReady(_)
        | Failure::NoLink => retry(now + wait, recovery, None),
        Failure::BrokeOff(_) | Failure::BrokenPart(_) => retry(now + wait, None, None),
        Failure::Place(_) => retry(now + wait.min(NO_PLACE), recovery, None),
        // A host that asks for a second again and again is left alone for longer.
        Failure::RateLimited(until) => {
            retry((now + wait).max(*until), Some(WaitsFor::Recovery), None)
        }
        Failure::Doubtful { doubt, .. } => {
            retry(now + COMPARE_AFTER, Some(WaitsFor::Comparison), Some(doubt))
        }
        Failure::Gone => Ending::Gone,
        Failure::Stopped => Ending::Stopped,
        Failure::Disk(_) => released(now + PAUSE, None),
        Failure::Space { .. } => released(now + NO_SPACE, Some(WaitsFor::Space)),
        Failure::HostWaits { until, .. } => released(*until, Some(WaitsFor::Recovery)),
        Failure::Api(_) => released(failure.asked_until().unwrap_or(now + PAUSE), None),
        Failure::Database(_) => released(now + NO_DATABASE, None),
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
