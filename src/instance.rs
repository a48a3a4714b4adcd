//! One instance at a time: locks that end with the process, on the archive and beside its database.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::durable;

/// The locks of a running instance; given back when dropped, and by the kernel when the process ends.
#[derive(Debug)]
pub struct Instance {
    _database: File,
    _archive: File,
}

/// Why the locks could not be had.
#[derive(Debug, thiserror::Error)]
pub enum NotLocked {
    /// Another process works on it.
    #[error(
        "another instance of room-archiver works on '{0}'; stop it first, or look with 'room-archiver status'"
    )]
    Busy(PathBuf),
    /// The lock can't be taken at all.
    #[error("could not lock '{path}'")]
    Io {
        /// What was to be locked.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Instance {
    /// Locks the database (by a file beside it: SQLite's own locks lie on the database file) and the
    /// archive's directory, so that neither can be shared by two configurations.
    pub fn lock(database: &Path, archive: &Path) -> Result<Self, NotLocked> {
        let beside = lock_file(database);
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| NotLocked::Io { path, source }
        };
        if let Some(directory) = database.parent() {
            durable::make_directory(directory, 0o777).map_err(io(directory))?;
        }
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o640)
            .open(&beside)
            .map_err(io(&beside))?;
        let directory = File::open(archive).map_err(io(archive))?;
        Ok(Self {
            _database: locked(file, database)?,
            _archive: locked(directory, archive)?,
        })
    }

    /// Whether an instance works on this database now.
    #[must_use]
    pub fn is_running(database: &Path) -> bool {
        File::open(lock_file(database))
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

fn lock_file(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn locked(file: File, what: &Path) -> Result<File, NotLocked> {
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(NotLocked::Busy(what.to_owned())),
        Err(TryLockError::Error(source)) => Err(NotLocked::Io {
            path: what.to_owned(),
            source,
        }),
    }
}
