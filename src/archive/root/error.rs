//! Why a file could not be put into the archive. What follows depends on the variant alone.

use std::io;

use rustix::io::Errno;

use crate::archive::paths::RelativePath;

/// Why a file can't come to stand at a path. It concerns the recordings whose files belong there, and neither
/// their parts nor the disk.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Files can't be moved there in one step.
    #[error(
        "'{0}' is on another file system, or another mount, than '.partial': unmount it, or change archive.path_template"
    )]
    OtherDevice(String),
    /// A link, a file or the like where a directory is needed.
    #[error("'{0}' is in the way: it is not a directory (links are not followed); move it away")]
    InTheWay(String),
    /// The directory, or what it lies in, does not permit it.
    #[error(
        "no permission to put a file into '{directory}': {error}; give it to the service's user"
    )]
    Permission {
        /// The directory.
        directory: String,
        /// The system's error.
        error: io::Error,
    },
    /// A name is longer than the file system allows.
    #[error("'{0}' is too long a name for the file system; shorten archive.path_template")]
    NameTooLong(String),
    /// Anything else.
    #[error("could not {action} '{path}': {error}")]
    Io {
        /// The step.
        action: &'static str,
        /// The directory or file.
        path: String,
        /// The system's error.
        error: io::Error,
    },
}

impl PlaceError {
    pub(super) fn new(action: &'static str, path: &str, error: Errno) -> Self {
        let path = path.to_owned();
        match error {
            Errno::XDEV => Self::OtherDevice(path),
            Errno::NOTDIR | Errno::LOOP => Self::InTheWay(path),
            Errno::ACCESS | Errno::PERM => Self::Permission {
                directory: path,
                error: error.into(),
            },
            Errno::NAMETOOLONG => Self::NameTooLong(path),
            error => Self::Io {
                action,
                path,
                error: error.into(),
            },
        }
    }
}

/// Why a part did not land. What follows depends on the variant alone.
#[derive(Debug, thiserror::Error)]
pub enum LandError {
    /// Something stands at the target and was left as it is; so was the part.
    #[error("something stands at '{0}' already")]
    Occupied(RelativePath),
    /// The place can't be used, by this recording and by those beside it. The part is whole, and where it was.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The disk can't take it now: it is full or read-only, or can't be reached. The part is whole, and where it
    /// was.
    #[error("could not {action} for '{path}': {error}")]
    Disk {
        /// The step.
        action: &'static str,
        /// The target.
        path: RelativePath,
        /// The system's error.
        error: io::Error,
    },
    /// What the part holds is unknown: it could not be made durable, or it is not the file that was written.
    /// Syncing it again would report success for data that is lost.
    #[error("could not {action} for '{path}': {error}")]
    Part {
        /// The step.
        action: &'static str,
        /// The target.
        path: RelativePath,
        /// The system's error.
        error: io::Error,
    },
}

impl LandError {
    /// What the failure of a step means that left the part whole.
    pub(super) fn new(
        action: &'static str,
        path: &RelativePath,
        directory: &str,
        error: Errno,
    ) -> Self {
        if reaches_the_disk(error) {
            Self::Disk {
                action,
                path: path.clone(),
                error: error.into(),
            }
        } else {
            PlaceError::new(action, directory, error).into()
        }
    }
}

impl LandError {
    /// What a failed [`Root::quarantine`] of what stands at the target means for the part.
    #[must_use]
    pub fn quarantine(path: &RelativePath, error: io::Error) -> Self {
        let action = "quarantine what stands there";
        match Errno::from_io_error(&error) {
            Some(errno) => Self::new(action, path, path.as_str(), errno),
            None => PlaceError::Io {
                action,
                path: path.to_string(),
                error,
            }
            .into(),
        }
    }
}

/// Whether an error concerns everything that is to be written, and not one directory or file.
pub(super) fn reaches_the_disk(error: Errno) -> bool {
    matches!(
        error,
        Errno::NOSPC
            | Errno::DQUOT
            | Errno::ROFS
            | Errno::MFILE
            | Errno::NFILE
            | Errno::NOMEM
            | Errno::STALE
            | Errno::NOTCONN
            | Errno::HOSTDOWN
            | Errno::TIMEDOUT
            | Errno::NODEV
            | Errno::NXIO
    )
}
