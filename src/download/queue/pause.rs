//! What stops all downloads, and until when.

use chrono::{DateTime, Utc};

use crate::store::PauseKind;

/// What stops all downloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseReason {
    /// The archive's disk.
    Disk,
    /// The API.
    Api,
}

impl From<PauseReason> for PauseKind {
    fn from(reason: PauseReason) -> Self {
        match reason {
            PauseReason::Disk => Self::Disk,
            PauseReason::Api => Self::Api,
        }
    }
}

/// Why no downloads are started. It holds until one shows that its reason is gone, beyond `until`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// What stops them.
    pub reason: PauseReason,
    /// What happened last.
    pub error: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When it is tried again.
    pub until: DateTime<Utc>,
    /// The API said until when.
    pub asked_for: bool,
}
