//! Parts: the files that downloads are written to, `.partial/<recording id>.part`.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use rustix::fs::{Dir, Mode, OFlags, fstat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::{REGULAR, Root, Standing, remove, stat_at};
use crate::model::RecordingId;

const SUFFIX: &str = ".part";
/// A complete part that is kept to be compared with a second transfer.
const KEPT: &str = ".kept";

/// Why a recording's part could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// No part can be created: the disk is full or read-only, or '.partial' can't be used.
    #[error("could not create a part in '.partial': {0}")]
    Disk(io::Error),
    /// Something else has the name of this part, and can be neither written to nor removed.
    #[error("could not replace '{path}', which is not a writable file: {error}; remove it")]
    InTheWay {
        /// Relative to the archive.
        path: String,
        /// Why it could not be removed.
        error: io::Error,
    },
}

pub(super) fn name(id: RecordingId) -> String {
    format!("{id}{SUFFIX}")
}

fn kept(id: RecordingId) -> String {
    format!("{id}{KEPT}")
}

impl Root {
    /// Opens a recording's part for reading and writing; creates it with mode 0600 if it does not exist.
    ///
    /// What this process can't or must not write to is removed first: another user's file, a symbolic link, or a
    /// file with a second name, under which writing would change it. A directory is quarantined.
    pub fn open_part(&self, id: RecordingId) -> Result<File, PartError> {
        let partial = self.partial().map_err(PartError::Disk)?;
        let name = name(id);
        let refused = match open_own(&partial, &name) {
            Ok(Some(file)) => return Ok(file),
            Ok(None) => Errno::PERM,
            Err(error) => error,
        };
        let in_the_way = |error| PartError::InTheWay {
            path: Self::part_path(id).to_string(),
            error,
        };
        let concerns_name = matches!(
            refused,
            Errno::ACCESS | Errno::PERM | Errno::LOOP | Errno::ISDIR | Errno::NXIO
        );
        // If nothing has the name, the directory refused.
        if !concerns_name || stat_at(&partial, &name).is_err() {
            return Err(PartError::Disk(refused.into()));
        }
        tracing::warn!(recording.id = %id, "replacing a part that can't be written to");
        match remove(&partial, &name) {
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                self.quarantine(&Self::part_path(id), "unexpected")
                    .map_err(in_the_way)?;
            }
            removed => removed.map_err(in_the_way)?,
        }
        let file = open_own(&partial, &name).map_err(|error| PartError::Disk(error.into()))?;
        file.ok_or_else(|| in_the_way(io::ErrorKind::AlreadyExists.into()))
    }

    /// The bytes of a recording's part; `None`: there is none.
    pub fn part_len(&self, id: RecordingId) -> io::Result<Option<u64>> {
        match stat_at(self.partial()?, name(id)) {
            Ok(stat) => Ok(Some(Standing::of(&stat).size_bytes)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a recording's part, if there is one.
    pub fn remove_part(&self, id: RecordingId) -> io::Result<()> {
        remove(self.partial()?, &name(id))
    }

    /// Keeps a recording's part beside the next one; replaces an earlier kept one.
    pub fn keep_part(&self, id: RecordingId) -> io::Result<()> {
        let partial = self.partial()?;
        Ok(rustix::fs::renameat(
            &partial,
            name(id),
            &partial,
            kept(id),
        )?)
    }

    /// Makes the kept part the recording's part again.
    ///
    /// # Errors
    /// The system's, such as `NotFound`.
    pub fn restore_kept(&self, id: RecordingId) -> io::Result<()> {
        let partial = self.partial()?;
        Ok(rustix::fs::renameat(
            &partial,
            kept(id),
            &partial,
            name(id),
        )?)
    }

    /// Removes a kept part, if there is one.
    pub fn remove_kept(&self, id: RecordingId) -> io::Result<()> {
        remove(self.partial()?, &kept(id))
    }

    /// The recordings that have a part or a kept part. Files with other names are ignored.
    pub fn parts(&self) -> io::Result<Vec<RecordingId>> {
        let mut ids = Vec::new();
        for entry in Dir::new(self.partial()?)? {
            let id: Option<RecordingId> = entry?.file_name().to_str().ok().and_then(|name| {
                let id = name.strip_suffix(SUFFIX).or(name.strip_suffix(KEPT))?;
                id.parse().ok()
            });
            ids.extend(id);
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }
}

/// Opens or creates a part; `None`: it is not a regular file with one name, or belongs to another user.
fn open_own(partial: impl AsFd, name: &str) -> rustix::io::Result<Option<File>> {
    let flags = OFlags::RDWR | OFlags::CREATE | REGULAR;
    let fd = rustix::fs::openat(&partial, name, flags, Mode::from_raw_mode(0o600))?;
    let stat = fstat(&fd)?;
    // On FAT and the like, the mount determines the owner: the same for files and directory.
    let ours = stat.st_uid == geteuid().as_raw() || stat.st_uid == fstat(&partial)?.st_uid;
    let own = ours && Standing::of(&stat).is_file && stat.st_nlink <= 1;
    Ok(own.then(|| File::from(fd)))
}
