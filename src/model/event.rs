//! The events that webhooks receive.

use super::words::words;

words! {
    /// What happened, as a webhook's configuration and its deliveries name it.
    pub enum EventType ("a type of event") {
        /// Its whole file is durable.
        RecordingArchived = "recording.archived",
        /// It was archived, and something about its file is odd.
        RecordingConcern = "recording.concern",
        /// It is not archived, or not completed upstream, for longer than `poll.stuck_after`.
        RecordingStuck = "recording.stuck",
        /// It was gone upstream before it was archived.
        RecordingLost = "recording.lost",
        /// Its archived file is missing or altered.
        RecordingDamaged = "recording.damaged",
        /// Its damaged file was replaced by a whole one.
        RecordingRepaired = "recording.repaired",
        /// A copy of it in an object store is there, with the right size and checksum.
        RecordingCopied = "recording.copied",
        /// The archive makes no progress, or needs attention.
        ArchiveUnhealthy = "archive.unhealthy",
        /// The archive is healthy again.
        ArchiveRecovered = "archive.recovered",
    }
}
