//! The states of a recording in the archive.

use super::words::words;

words! {
    /// How far a recording is on its way from SignalWire to the disk.
    pub enum State ("a state of a recording") {
        /// Not completed upstream yet.
        Waiting = "waiting",
        /// Left out by the configured filter.
        Skipped = "skipped",
        /// Completed upstream, to be downloaded.
        Pending = "pending",
        /// Being downloaded by the running daemon.
        Downloading = "downloading",
        /// A whole, verified file is durable on the disk.
        Archived = "archived",
        /// Gone upstream before it was archived.
        Lost = "lost",
        /// Was archived; its file is missing or altered, and it is downloaded again while SignalWire has it.
        Damaged = "damaged",
    }
}
