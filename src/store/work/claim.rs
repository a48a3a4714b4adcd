//! A claimed recording: everything that its download needs to know.

use chrono::{DateTime, Utc};

use crate::model::{RecordingId, SessionId};

/// Which of the due recordings come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Those that started first.
    OldestFirst,
    /// Those that started last.
    NewestFirst,
}

/// A recording claimed for download, with everything the download needs to know.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Claim {
    pub id: RecordingId,
    pub session_id: Option<SessionId>,
    pub room_name: Option<String>,
    pub started_at: Option<DateTime<Utc>>,
    /// Length in seconds, as SignalWire reports it.
    pub duration_seconds: Option<f64>,
    /// Bytes, as SignalWire reports it.
    pub size_bytes: Option<u64>,
    /// MIME type.
    pub format: Option<String>,
    /// The number of this attempt: 1 for the first.
    pub attempt: u32,
    /// Attempts in a row that failed.
    pub retries: u32,
    /// The host and port of its last link.
    pub media_host: Option<String>,
    /// Why the last attempt ended.
    pub last_error: Option<String>,
    /// What an interrupted attempt left on the disk.
    pub part: Part,
    /// A complete transfer that was not plausible, to be compared with the next.
    pub doubt: Option<Doubt>,
    /// The damaged file that this download replaces: where it lies, and the hash it should have.
    pub damaged: Option<(String, String)>,
    /// A file of this recording that has no row, to be adopted if it fits.
    pub stray: Option<String>,
}

/// A complete transfer of a file that is not plausible: the same again means that the source has it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// SHA-256 of the bytes, in hexadecimal.
    pub sha256: String,
    /// How many they were.
    pub bytes: u64,
    /// Their strong validator, if the media host sent one.
    pub validator: Option<String>,
}

/// What is known of a part file: how much of it is durable, and which object it belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Bytes that are durable.
    pub bytes: u64,
    /// The strong validator of the object they came from.
    pub validator: Option<String>,
    /// Length of the whole object.
    pub total: Option<u64>,
}
