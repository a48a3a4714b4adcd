//! What is doubtful about an archived file. A concern never keeps a recording out of the archive; it is noted
//! beside it, for a person to look at.

use super::words::words;

words! {
    /// What a concern is about: a stable word in the database, the views and on the command line.
    pub enum ConcernKind ("a kind of concern") {
        /// The file lasts longer or shorter than SignalWire reports, or than its own header says.
        Duration = "duration",
        /// The file has another size than SignalWire reports.
        Size = "size",
        /// The bytes are of another type than the label says, or of no known type.
        Type = "type",
        /// Something in the file is not as its format demands.
        Structure = "structure",
        /// The file looks as if its end were lacking.
        Truncated = "truncated",
    }
}

/// One doubt about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concern {
    /// What it is about.
    pub kind: ConcernKind,
    /// What was found: part of a sentence, in lower case and without a full stop.
    pub detail: String,
}
