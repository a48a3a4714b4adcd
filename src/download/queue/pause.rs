//! What stops all downloads, and until when.

use chrono::{DateTime, Utc};

use crate::store::PauseKind;

/// Why no downloads are started. It holds until one shows that its reason is gone, beyond `until`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// What stops them: the disk or the API.
    pub reason: PauseKind,
    /// What happened last.
    pub error: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When it is tried again.
    pub until: DateTime<Utc>,
    /// The API said until when.
    pub asked_for: bool,
}
