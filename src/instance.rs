//! One instance at a time: locks on the archive and beside its database, which end with the process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::durable;

/// The locks of a running instance; released when dropped, and by the kernel when the process ends.
#[derive(Debug)]
pub struct Instance {
    _database: File,
    _archive: File,
}

/// Why the locks could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum NotLocked {
    /// Another process has the lock.
    #[error(
        "another instance of room-archiver uses '{0}'; stop it first ('room-archiver status' shows what it does)"
    )]
    Busy(PathBuf),
    /// The lock file or directory can't be opened or locked.
    #[error("could not lock '{path}'")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Instance {
    /// Locks the database (with a file beside it, as SQLite locks the database file itself) and the archive's
    /// directory, so that two configurations can't share either.
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

    /// Whether an instance uses this database now.
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
