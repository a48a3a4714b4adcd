//! Small files beside the recordings: read as a whole, written as durably as a landing, and replaced only if they are
//! what the caller wrote before.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags};

use super::{PARTIAL, REGULAR, Root, make_directory, open_regular, remove, rename_new, stat_at};
use crate::archive::paths::RelativePath;
use crate::model::RecordingId;

/// What has the name of a small file.
#[derive(Debug)]
pub enum Existing {
    /// Nothing.
    Nothing,
    /// A file with these bytes.
    File(Vec<u8>),
    /// A larger file, a link, a directory or the like.
    Else,
}

/// A small file to be written.
#[derive(Debug)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Small {
    /// The recording it is about.
    pub id: RecordingId,
    pub path: RelativePath,
    pub bytes: Vec<u8>,
    pub mode: u32,
    pub how: How,
}

/// How a small file gets to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Nothing has its name.
    New,
    /// It replaces an older one, which was read before.
    Replace,
    /// It is there with the right bytes, and is only made durable.
    Keep,
}

impl Root {
    /// What is at `path`, read if it has `most` bytes at most.
    ///
    /// # Errors
    /// The system's, if it can't be read.
    pub fn read_small(&self, path: &RelativePath, most: u64) -> io::Result<Existing> {
        let file = match self.open_file(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Existing::Nothing),
            Err(error) => {
                let other = self.stat(path)?.is_some_and(|standing| !standing.is_file);
                return if other {
                    Ok(Existing::Else)
                } else {
                    Err(error)
                };
            }
        };
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Ok(Existing::Else);
        }
        Ok(Existing::File(bytes))
    }

    /// Writes small files into the directories of the recordings they are beside. Each is in its place and durable when
    /// this returns, or has an error. The directories are synced once for all.
    pub fn write_small(&self, files: &[Small]) -> Vec<io::Result<()>> {
        let mut parents = BTreeMap::new();
        let mut results: Vec<_> = files
            .iter()
            .map(|file| {
                let parent = self.place_small(file)?;
                let key = file.path.parents().map(str::to_owned).collect::<Vec<_>>();
                parents.insert(key, parent);
                Ok(())
            })
            .collect();
        let partial = self.partial();
        let directories = parents.values().chain(partial.as_ref().ok());
        if let Err(error) = self.syncs.sync(directories) {
            for result in results.iter_mut().filter(|result| result.is_ok()) {
                *result = Err(error.into());
            }
        }
        results
    }

    /// Returns the directory that is still to be synced.
    fn place_small(&self, file: &Small) -> io::Result<OwnedFd> {
        let parent = self.parent(&file.path)?;
        let name = file.path.file_name();
        if file.how == How::Keep {
            open_regular(&parent, name, OFlags::RDONLY)?.sync_all()?;
            return Ok(parent);
        }
        let root = self.directory();
        let partial = make_directory(root.as_ref(), PARTIAL, 0o700)?;
        let new = format!("{}.json", file.id);
        let written = self.write_new(&partial, &new, file).and_then(|()| {
            let renamed = match file.how {
                How::Replace => rustix::fs::renameat(&partial, &new, &parent, name),
                _ => rename_new(&partial, &new, &parent, name),
            };
            Ok(renamed?)
        });
        if written.is_err() {
            _ = remove(&partial, &new);
        }
        written.map(|()| parent)
    }

    fn write_new(&self, partial: &OwnedFd, name: &str, file: &Small) -> io::Result<()> {
        // A crash during an earlier attempt may have left it.
        remove(partial, name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | REGULAR;
        let fd = rustix::fs::openat(partial, name, flags, Mode::from_raw_mode(0o600))?;
        let mut new = File::from(fd);
        new.write_all(&file.bytes)?;
        self.set_mode(&new, file.mode)?;
        new.sync_all()
    }

    /// Removes the file at `path`, durably, if it is the one that is open, and was last written to at `modified`. Returns
    /// whether it was.
    ///
    /// # Errors
    /// The system's.
    pub fn remove_same(
        &self,
        path: &RelativePath,
        open: &File,
        modified: SystemTime,
    ) -> io::Result<bool> {
        let parent = self.parent(path)?;
        let (held, named) = (
            rustix::fs::fstat(open)?,
            stat_at(&parent, path.file_name())?,
        );
        let same = (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino);
        if !same || open.metadata()?.modified()? != modified {
            return Ok(false);
        }
        remove(&parent, path.file_name())?;
        self.syncs.sync([&parent].into_iter())?;
        Ok(true)
    }
}
