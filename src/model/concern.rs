//! What is doubtful about an archived file. A concern never keeps a recording out of the archive; it is stored
//! with the recording and shown to the operator.

use super::words::words;

words! {
    /// What a concern is about: a stable word in the database, the views and on the command line.
    pub enum ConcernKind ("a kind of concern") {
        /// The file lasts longer or shorter than SignalWire reports, or than its own header says.
        Duration = "duration",
        /// The file has another size than SignalWire reports.
        Size = "size",
        /// The bytes are of another format than the label says, or of no known format.
        Type = "type",
        /// The structure of the file violates its format.
        Structure = "structure",
        /// The end of the file seems to be missing.
        Truncated = "truncated",
    }
}

/// One doubt about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concern {
    /// What it is about.
    pub kind: ConcernKind,
    /// What was found, as a message in lower case without a full stop.
    pub detail: String,
}
