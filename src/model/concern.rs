//! What is doubtful about an archived file. A concern never keeps a recording out of the archive; it is noted
//! beside it, for a person to look at.

use std::fmt;
use std::str::FromStr;

/// What a concern is about: a stable word in the database, the views and on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConcernKind {
    /// The file lasts longer or shorter than SignalWire reports, or than its own header says.
    Duration,
    /// The file has another size than SignalWire reports.
    Size,
    /// The bytes are of another type than the label says, or of no known type.
    Type,
    /// Something in the file is not as its format demands.
    Structure,
    /// The file looks as if its end were lacking.
    Truncated,
}

impl ConcernKind {
    /// Every kind, in the order they are listed in.
    pub const ALL: [Self; 5] = [
        Self::Duration,
        Self::Size,
        Self::Type,
        Self::Structure,
        Self::Truncated,
    ];

    /// The kind's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Duration => "duration",
            Self::Size => "size",
            Self::Type => "type",
            Self::Structure => "structure",
            Self::Truncated => "truncated",
        }
    }
}

impl fmt::Display for ConcernKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no kind of concern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a kind of concern (duration, size, type, structure, truncated)")]
pub struct BadConcernKind;

impl FromStr for ConcernKind {
    type Err = BadConcernKind;

    fn from_str(text: &str) -> Result<Self, BadConcernKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(BadConcernKind)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_back_from_their_words_and_keep_their_order() {
        for kind in ConcernKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!(ConcernKind::ALL.is_sorted());
        assert_eq!("Size".parse::<ConcernKind>(), Err(BadConcernKind));
    }
}
