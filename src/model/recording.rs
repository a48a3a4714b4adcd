//! A room recording as SignalWire describes it.

use chrono::{DateTime, Utc};

use super::{RecordingId, SessionId, UnreadLink};

/// A room recording; everything but its id may be missing upstream.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// SignalWire's id.
    pub id: RecordingId,
    /// The session it was made in.
    pub session_id: Option<SessionId>,
    /// SignalWire's word for its status.
    pub status: UpstreamStatus,
    /// When it started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it stopped; absent while it runs.
    pub finished_at: Option<DateTime<Utc>>,
    /// Length in seconds; integers and fractions both occur.
    pub duration_seconds: Option<f64>,
    /// Bytes of the file. The contract's int32 wraps at 2 GiB: zero and negative numbers are unknown.
    pub size_bytes: Option<u64>,
    /// SignalWire's label, usually a MIME type; it may be wrong.
    pub format: Option<String>,
    /// What SignalWire charges for it.
    pub cost_in_dollars: Option<f64>,
    /// When SignalWire made the object.
    pub created_at: Option<DateTime<Utc>>,
    /// When SignalWire last changed the object.
    pub updated_at: Option<DateTime<Utc>>,
    /// SignalWire's whole object as canonical JSON, without its `uri`.
    pub upstream: String,
}

/// A recording as a list or a single request describes it, with the link if there was one.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The description, without its link.
    pub recording: Recording,
    /// Its short-lived media link.
    pub link: Option<UnreadLink>,
}

/// The status of a recording upstream: the documented words, and any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamStatus {
    /// Being recorded.
    Recording,
    /// Paused.
    Paused,
    /// Being prepared for download.
    Processing,
    /// Ready to download.
    Completed,
    /// Another word, kept unchanged, or none: not ready.
    Other(Option<String>),
}

impl UpstreamStatus {
    /// Reads SignalWire's word.
    #[must_use]
    pub fn parse(word: Option<String>) -> Self {
        match word.as_deref() {
            Some("recording") => Self::Recording,
            Some("paused") => Self::Paused,
            Some("processing") => Self::Processing,
            Some("completed") => Self::Completed,
            _ => Self::Other(word),
        }
    }

    /// SignalWire's word, unchanged.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Recording => Some("recording"),
            Self::Paused => Some("paused"),
            Self::Processing => Some("processing"),
            Self::Completed => Some("completed"),
            Self::Other(word) => word.as_deref(),
        }
    }
}
