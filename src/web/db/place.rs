//! Where a page of a list begins.

/// The row that a page begins behind, or for a room the session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::web) struct Place {
    /// When the recording started; by room: its session.
    pub(in crate::web) at: Option<String>,
    /// The recording; by room: the session.
    pub(in crate::web) id: String,
    /// By room: how many of that session's recordings were shown, if more of them follow.
    pub(in crate::web) shown: Option<u32>,
}
