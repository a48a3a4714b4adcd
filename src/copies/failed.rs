//! Why a recording was not copied.

use std::fmt;

use super::StoreError;
use super::source::SourceError;
use crate::store;

/// Why a recording was not copied.
#[derive(Debug)]
pub(super) enum Failed {
    /// A request failed.
    Target(StoreError),
    /// Another object is under the key.
    Differs(String),
    /// The recording has another file now.
    Changed,
    /// The local file is not what was archived.
    Damaged(&'static str),
    /// The local file could not be read.
    Unreadable(std::io::Error),
    /// The database failed.
    Store(store::Error),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(error) => error.fmt(f),
            Self::Differs(text) => f.write_str(text),
            Self::Changed => f.write_str("its file was replaced while it was copied"),
            Self::Damaged(how) => write!(f, "the local file is {how}"),
            Self::Unreadable(error) => write!(f, "could not read the local file: {error}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Target(error)
    }
}

impl From<store::Error> for Failed {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<SourceError> for Failed {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Damaged(how) => Self::Damaged(how),
            SourceError::Unreadable(error) => Self::Unreadable(error),
        }
    }
}
