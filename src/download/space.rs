//! The disk's reserve.

use super::Setup;
use super::failure::Failure;
use super::write::writer::disk;
use crate::model::RecordingId;

/// Fails if the disk's reserve would be broken into, counting what other downloads still write.
pub(super) fn check(setup: &Setup, id: RecordingId, needed: Option<u64>) -> Result<(), Failure> {
    let free = setup.root.free_space().map_err(disk)?;
    let room = free.saturating_sub(setup.min_free_space);
    let needed = needed.unwrap_or(0);
    let Err(others) = setup.board.admit(id, needed, room) else {
        return Ok(());
    };
    let text = format!(
        "not enough free space: {free} bytes are free, {} are needed besides archive.min_free_space",
        others.saturating_add(needed)
    );
    Err(if room == 0 {
        Failure::Disk(text.into())
    } else {
        Failure::Space { text, needed }
    })
}
