//! Whether the configured path still leads to the archive: while a process runs, a disk may be mounted over
//! it, unmounted, or unplugged and plugged in again.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};

use rustix::fs::{CWD, fstat};

use super::{MARKER, Root, Stamp, open_root, read_marker, stat_at};

/// Why the configured path does not lead to the archive now.
#[derive(Debug, thiserror::Error)]
pub enum NotThere {
    /// No marker is there: another disk was mounted over the archive, or its own was unmounted.
    #[error(
        "'{0}' is not the archive any more: its marker file '.room-archiver' is missing; was a disk mounted over it, or unmounted?"
    )]
    Unmounted(PathBuf),
    /// The marker of another archive is there.
    #[error("'{0}' is another archive now; mount the disk that was there when the service started")]
    Foreign(PathBuf),
    /// Nothing can be read there.
    #[error("could not read the archive's directory '{path}': {error}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

impl Root {
    /// Makes sure that the configured path leads to this archive: the id in the marker is the one that was read
    /// first. Made before each landing: a single system call as long as it is the very marker that was read last.
    ///
    /// The same archive on a device that came back, or that it was moved to, is taken from now on.
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
            tracing::warn!("the archive was mounted again or moved, and is used where it is now");
            *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(now);
        }
        *self.seen() = marker;
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, Option<Stamp>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which file the marker at the configured path is now.
    fn marker_stamp(&self) -> Option<Stamp> {
        let stat = stat_at(CWD, self.path.join(MARKER)).ok()?;
        Some((stat.st_dev, stat.st_ino, stat.st_ctime, stat.st_ctime_nsec))
    }
}
