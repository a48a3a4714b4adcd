//! Why a file could not be put into the archive. What follows depends on the variant alone.

use std::io;

use rustix::io::Errno;

use crate::archive::paths::RelativePath;

/// Why no file can land at a path. It concerns only the recordings whose files belong there, not the whole
/// disk, and their parts are unchanged.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub enum PlaceError {
    /// Files can't be renamed from '.partial' to there.
    #[error(
        "'{0}' is on another file system, or another mount, than '.partial': unmount it, or change archive.path_template"
    )]
    OtherDevice(String),
    /// A symbolic link or a file instead of a directory.
    #[error(
        "'{0}' must be a directory, but is a file or a link (links are not followed); move it away"
    )]
    InTheWay(String),
    /// The permissions of the directory, or of a parent, do not allow it.
    #[error(
        "no permission to put a file into '{directory}': {error}; give the directory to the service's user"
    )]
    Permission { directory: String, error: io::Error },
    /// A name is longer than the file system allows.
    #[error("the name '{0}' is too long for the file system; shorten archive.path_template")]
    NameTooLong(String),
    /// Anything else.
    #[error("could not {action} '{path}': {error}")]
    Io {
        action: &'static str,
        path: String,
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
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub enum LandError {
    /// Something else exists at the target. Both it and the part are unchanged.
    #[error("'{0}' already exists")]
    Occupied(RelativePath),
    /// The path can't be used, nor others in that directory. The part is unchanged.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The disk is full, read-only or can't be reached. The part is unchanged.
    #[error("could not {action} for '{path}': {error}")]
    Disk {
        action: &'static str,
        path: RelativePath,
        error: io::Error,
    },
    /// The content of the part is unknown: a sync failed, or it is not the file that was written. Another sync
    /// could report success for lost data.
    #[error("could not {action} for '{path}': {error}")]
    Part {
        action: &'static str,
        path: RelativePath,
        error: io::Error,
    },
}

impl LandError {
    /// The error of a step that left the part unchanged.
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

    /// The error of a failed [`super::Root::quarantine`] of what exists at the target.
    #[must_use]
    pub fn quarantine(path: &RelativePath, error: io::Error) -> Self {
        let action = "quarantine the existing file";
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

/// Whether an error concerns every write to the disk, not only one directory or file.
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
