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

/// The status of a session: the two documented words, and any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionStatus {
    /// `in-progress`: people are in the room.
    InProgress,
    /// `completed`: the session is over.
    Completed,
    /// Another word, kept unchanged, or none.
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

    /// SignalWire's word, unchanged.
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
    /// The best known end of a session that is over; `None` while it runs.
    #[must_use]
    pub fn ended_at(&self) -> Option<DateTime<Utc>> {
        match self.status {
            SessionStatus::Completed => self
                .end_time
                .or(self.updated_at)
                .or(self.start_time)
                .or(self.created_at)
                // Never before the start.
                .max(self.start_time),
            SessionStatus::InProgress => None,
            // With an unknown status, only an end time shows that it is over.
            SessionStatus::Other(_) => self.end_time,
        }
    }
}
