//! A room session as SignalWire describes it.

use chrono::{DateTime, Utc};

use super::SessionId;

/// A room session; everything but its id may be missing upstream.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// SignalWire's id.
    pub id: SessionId,
    /// The room's name.
    pub room_name: Option<String>,
    /// SignalWire's word for its status.
    pub status: SessionStatus,
    /// When it started.
    pub start_time: Option<DateTime<Utc>>,
    /// When it ended; absent while it runs.
    pub end_time: Option<DateTime<Utc>>,
    /// When SignalWire made the object.
    pub created_at: Option<DateTime<Utc>>,
    /// When SignalWire last changed the object.
    pub updated_at: Option<DateTime<Utc>>,
    /// SignalWire's whole object as canonical JSON, without its links.
    pub upstream: String,
}

/// The status of a session: the two documented words, and whatever else may come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionStatus {
    /// `in-progress`: people are in the room.
    InProgress,
    /// `completed`: the session is over.
    Completed,
    /// Another word, or none: kept as it came.
    Other(Option<String>),
}

impl SessionStatus {
    /// Reads SignalWire's word.
    #[must_use]
    pub fn parse(word: Option<String>) -> Self {
        match word.as_deref() {
            Some("in-progress") => Self::InProgress,
            Some("completed") => Self::Completed,
            _ => Self::Other(word),
        }
    }

    /// SignalWire's word, as it came.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::InProgress => Some("in-progress"),
            Self::Completed => Some("completed"),
            Self::Other(word) => word.as_deref(),
        }
    }
}

impl Session {
    /// When it ended, as well as it is known, if it is over.
    #[must_use]
    pub fn ended_at(&self) -> Option<DateTime<Utc>> {
        match self.status {
            SessionStatus::Completed => self
                .end_time
                .or(self.updated_at)
                .or(self.start_time)
                .or(self.created_at)
                // An end before the start is not used.
                .max(self.start_time),
            SessionStatus::InProgress => None,
            // Where the status is unknown, its end alone shows that it is over.
            SessionStatus::Other(_) => self.end_time,
        }
    }
}
