//! The states of a recording in the archive.

use std::fmt;
use std::str::FromStr;

/// Where a recording stands between being seen upstream and lying on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Not completed upstream yet.
    Waiting,
    /// Left out by the configured filter.
    Skipped,
    /// Completed upstream, to be downloaded.
    Pending,
    /// Being downloaded by the running daemon.
    Downloading,
    /// A whole, verified file is durable on the disk.
    Archived,
    /// Gone upstream before it was archived.
    Lost,
    /// Was archived; its file is missing or altered, and it is fetched again while the source has it.
    Damaged,
}

impl State {
    /// Every state, in the order a recording goes through them.
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Skipped,
        Self::Pending,
        Self::Downloading,
        Self::Archived,
        Self::Lost,
        Self::Damaged,
    ];

    /// The state's word in the database, the views and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Skipped => "skipped",
            Self::Pending => "pending",
            Self::Downloading => "downloading",
            Self::Archived => "archived",
            Self::Lost => "lost",
            Self::Damaged => "damaged",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a state of a recording (waiting, skipped, pending, downloading, archived, lost, damaged)"
)]
pub struct BadState;

impl FromStr for State {
    type Err = BadState;

    fn from_str(text: &str) -> Result<Self, BadState> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(BadState)
    }
}
