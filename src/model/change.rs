//! What the database knows about a recording, and what a pass changes. `poll::plan` decides, without I/O.

use chrono::{DateTime, Utc};

use super::{SessionId, State};

/// What the database knows about a recording when a pass lists it again.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The state it has now.
    pub state: State,
    /// The session it was first seen in.
    pub session_id: Option<SessionId>,
    /// SignalWire's object when it was last listed, as canonical JSON.
    pub upstream: String,
    /// Its size as SignalWire last reported it.
    pub size_bytes: Option<u64>,
    /// When SignalWire last changed it, as of the last listing.
    pub updated_at: Option<DateTime<Utc>>,
    /// It was confirmed to be gone upstream.
    pub gone: bool,
    /// Its archived file is damaged, and it is being downloaded again.
    pub damaged: bool,
}

/// What is known about a recording's room; filter and path need its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Room {
    /// The session was described: its room's name, if it has one.
    Known(Option<String>),
    /// The session is gone, can't be requested, or is not named: the recording is archived without a room's
    /// name, and no filter of rooms leaves it out.
    Unknown,
    /// The session has not been requested yet.
    Awaited,
}

/// A decision about one recording: what to write in addition to SignalWire's description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The new state.
    pub state: State,
    /// Why the filter leaves it out; with [`State::Skipped`] only.
    pub skip_reason: Option<&'static str>,
    /// It changed upstream after it was archived.
    pub changed_after_archiving: bool,
    /// It is listed under another session than before; the first one is kept.
    pub other_session: bool,
    /// Its failed attempts no longer count, and it is due now.
    pub another_chance: bool,
}
