//! A walk over all files in the archive, to compare them with the database.

use std::io;
use std::os::fd::OwnedFd;

use chrono::{DateTime, Utc};
use rustix::fs::{Dir, Mode};
use rustix::io::Errno;

use super::{DIRECTORY, Root, Standing, stat_at};
use crate::archive::paths::{MAX_COMPONENTS, RelativePath};

/// A file in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path.
    pub path: RelativePath,
    /// Its bytes.
    pub size_bytes: u64,
    /// When it was last written to.
    pub modified: Option<DateTime<Utc>>,
}

/// A directory or file that a walk could not read. Its files are not missing, only unknown.
#[derive(Debug)]
pub struct Unread {
    /// The directory or file; empty: the archive's own directory.
    pub path: String,
    /// Why.
    pub source: io::Error,
}

impl Root {
    /// Calls `visit` for every regular file, in no particular order. Skips hidden files and directories, links,
    /// paths that the archiver can't have made (not UTF-8, control characters, too long, too deep), `lost+found`,
    /// and what vanishes during the walk.
    ///
    /// Returns what it could not read, and continues after it. Holds one directory open for each level.
    pub fn walk(&self, visit: impl FnMut(Found)) -> Vec<Unread> {
        let mut walk = Walk {
            visit,
            unread: Vec::new(),
        };
        // A new descriptor: a duplicate would share the reading position.
        let opened = rustix::fs::openat(self.directory().as_ref(), ".", DIRECTORY, Mode::empty());
        walk.enter(opened, "", 1);
        walk.unread
    }
}

struct Walk<F> {
    visit: F,
    unread: Vec<Unread>,
}

impl<F: FnMut(Found)> Walk<F> {
    fn enter(&mut self, opened: rustix::io::Result<OwnedFd>, path: &str, depth: usize) {
        let read = opened.and_then(|directory| self.read(directory, path, depth));
        match read {
            // Vanished, or replaced by something that is not a directory.
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(error) => self.note(path, error),
        }
    }

    fn note(&mut self, path: &str, error: Errno) {
        self.unread.push(Unread {
            path: path.to_owned(),
            source: error.into(),
        });
    }

    fn read(&mut self, directory: OwnedFd, inside: &str, depth: usize) -> rustix::io::Result<()> {
        let mut entries = Dir::new(directory)?;
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if name.starts_with('.') || (depth == 1 && name == "lost+found") {
                continue;
            }
            let separator = if inside.is_empty() { "" } else { "/" };
            let Ok(path) = RelativePath::parse(&format!("{inside}{separator}{name}")) else {
                continue;
            };
            let here = entries.fd()?;
            let stat = match stat_at(here, name) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue,
                // The directory may be listed, but not searched: this concerns all of its entries.
                Err(Errno::ACCESS) => return Err(Errno::ACCESS),
                Err(error) => {
                    self.note(path.as_str(), error);
                    continue;
                }
            };
            let standing = Standing::of(&stat);
            if standing.is_file {
                (self.visit)(Found {
                    path,
                    size_bytes: standing.size_bytes,
                    modified: standing.modified,
                });
            } else if depth < MAX_COMPONENTS
                && rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir()
            {
                let opened = rustix::fs::openat(here, name, DIRECTORY, Mode::empty());
                self.enter(opened, path.as_str(), depth + 1);
            }
        }
        Ok(())
    }
}
