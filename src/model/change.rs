//! What the database knows of a recording, and what a pass decides about it. The decision itself is
//! made by `poll::plan`, which does no I/O.

use chrono::{DateTime, Utc};

use super::{SessionId, State};

/// What the database knows of a recording before a pass looks at it again.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Its state.
    pub state: State,
    /// The session it was first seen in.
    pub session_id: Option<SessionId>,
    /// SignalWire's object as it was last seen.
    pub upstream: String,
    /// Its size as SignalWire last reported it.
    pub size_bytes: Option<u64>,
    /// When SignalWire had last changed it.
    pub updated_at: Option<DateTime<Utc>>,
    /// It was found to be gone upstream.
    pub gone: bool,
    /// Its archived file is damaged: it is being fetched again.
    pub damaged: bool,
}

/// What is known of the room a recording was made in; filter and path need its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Room {
    /// The session was described: its room's name, if it has one.
    Known(Option<String>),
    /// The session is gone, can't be described, or is not named: the recording goes without, and no filter of
    /// rooms leaves it out.
    Unknown,
    /// The session is still to be asked for.
    Awaited,
}

/// A decision about one recording: what is to be written besides SignalWire's description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The state it is to have.
    pub state: State,
    /// Why the filter leaves it out; with [`State::Skipped`] only.
    pub skip_reason: Option<&'static str>,
    /// It changed upstream after it was archived.
    pub changed_after_archiving: bool,
    /// It is listed under another session than before; the first stays.
    pub other_session: bool,
    /// Its failed attempts are forgotten: it gets another chance at once.
    pub another_chance: bool,
}
