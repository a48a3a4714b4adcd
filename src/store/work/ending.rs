//! How an attempt can end.

use chrono::{DateTime, Utc};

use super::claim::Doubt;
use crate::model::{Concern, words};

/// A landed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landed {
    /// Where, relative to the archive.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// It was there already and did not have to be downloaded.
    pub adopted: bool,
    /// What is odd about it.
    pub concerns: Vec<Concern>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The file is durable at its place.
    Archived(Landed),
    /// To be tried again.
    Retry(Retry),
    /// Gone upstream.
    Gone,
    /// Ended by a stop of the process: due again at once.
    Stopped,
    /// Never really tried (no room on the disk, a host that rate-limits us): leaves no trace.
    Released {
        /// Not before then.
        at: DateTime<Utc>,
        /// What it waits for besides.
        waits_for: Option<WaitsFor>,
    },
}

/// The next attempt after one that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Not before then.
    pub at: DateTime<Utc>,
    /// What it waits for besides.
    pub waits_for: Option<WaitsFor>,
    /// It brought bytes: the back-off starts again.
    pub progress: bool,
    /// A complete transfer that was not plausible, if it was one.
    pub doubt: Option<Doubt>,
}

words! {
    /// What ends the wait for the next attempt early, or must not.
    pub enum WaitsFor ("a reason to wait") {
        /// Room on the archive's disk.
        Space = "space",
        /// A download that succeeds: this one failed while others did.
        Recovery = "recovery",
        /// Time: the file may still be being written upstream.
        Comparison = "comparison",
    }
}

impl Ending {
    /// The outcome in the view `attempts`; `None`: the attempt leaves no trace.
    #[must_use]
    pub fn outcome(&self) -> Option<AttemptOutcome> {
        match self {
            Self::Archived(Landed { adopted: true, .. }) => Some(AttemptOutcome::Adopted),
            Self::Archived(_) => Some(AttemptOutcome::Archived),
            Self::Retry(_) => Some(AttemptOutcome::Retry),
            Self::Gone => Some(AttemptOutcome::Lost),
            Self::Stopped => Some(AttemptOutcome::Stopped),
            Self::Released { .. } => None,
        }
    }
}

words! {
    /// How an attempt ended, as the view `attempts` shows it.
    pub enum AttemptOutcome ("an outcome of an attempt") {
        /// It is under way.
        Running = "running",
        /// The file was downloaded and is archived.
        Archived = "archived",
        /// The file lay there already.
        Adopted = "adopted",
        /// To be tried again.
        Retry = "retry",
        /// Gone upstream.
        Lost = "lost",
        /// The process was to stop.
        Stopped = "stopped",
        /// The process ended without a word.
        Interrupted = "interrupted",
    }
}

/// What an attempt did, besides how it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// The byte it went on from.
    pub from_byte: u64,
    /// Bytes received.
    pub bytes: u64,
    /// The media server's last status.
    pub http_status: Option<u16>,
    /// The host and port of its link.
    pub media_host: Option<String>,
    /// What ended it; never with a link in it.
    pub error: Option<String>,
}
