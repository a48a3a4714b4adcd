//! Checks that the configured path still leads to the archive: while the process runs, a disk may be mounted
//! over it, unmounted, or removed and attached again.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};

use rustix::fs::{CWD, fstat};

use super::{MARKER, Root, Stamp, open_root, read_marker, stat_at};

/// Why the configured path does not lead to the archive now.
#[derive(Debug, thiserror::Error)]
pub enum NotThere {
    /// There is no marker: another disk was mounted over the archive, or its own was unmounted.
    #[error(
        "'{0}' is not the archive any more: its marker file '.room-archiver' is missing; was a disk mounted over it, or unmounted?"
    )]
    Unmounted(PathBuf),
    /// There is the marker of another archive.
    #[error(
        "'{0}' is now another archive; mount the disk that was mounted when the service started"
    )]
    Foreign(PathBuf),
    /// The directory or its marker can't be read.
    #[error("could not read the archive's directory '{path}': {error}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

impl Root {
    /// Makes sure that the configured path leads to this archive: its marker has the id that was read first.
    /// Called before each landing; a single system call as long as the marker file is the same.
    ///
    /// If the same archive is there on another device, it is used from now on.
    ///
    /// # Errors
    /// [`NotThere`]: nothing may be written then, and no file counts as missing.
    pub fn check_there(&self) -> Result<(), NotThere> {
        let failed = |error: io::Error| NotThere::Io {
            path: self.path.clone(),
            error,
        };
        let marker = self.marker_stamp();
        if marker.is_some() && *self.seen() == marker {
            return Ok(());
        }
        let now = open_root(&self.path).map_err(failed)?;
        match (read_marker(&now).map_err(failed)?, self.id.get()) {
            (None, _) => return Err(NotThere::Unmounted(self.path.clone())),
            (Some(id), Some(known)) if id != *known => {
                return Err(NotThere::Foreign(self.path.clone()));
            }
            _ => {}
        }
        let (new, old) = (fstat(&now), fstat(self.directory().as_ref()));
        let new = new.map_err(|error| failed(error.into()))?;
        if !old.is_ok_and(|old| (old.st_dev, old.st_ino) == (new.st_dev, new.st_ino)) {
            tracing::warn!(
                "the archive was mounted again or moved; the directory that is there now is used"
            );
            *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(now);
        }
        *self.seen() = marker;
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, Option<Stamp>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Identifies the file that is the marker at the configured path now.
    fn marker_stamp(&self) -> Option<Stamp> {
        let stat = stat_at(CWD, self.path.join(MARKER)).ok()?;
        Some((stat.st_dev, stat.st_ino, stat.st_ctime, stat.st_ctime_nsec))
    }
}
