//! A walk over everything in the archive, to adopt files the database does not know.

use std::io;
use std::os::fd::OwnedFd;

use chrono::{DateTime, Utc};
use rustix::fs::{Dir, Mode};
use rustix::io::Errno;

use super::{DIRECTORY, Root, Standing, stat_at};
use crate::archive::paths::{MAX_COMPONENTS, RelativePath};

/// A file that stands in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub path: RelativePath,
    /// Its bytes.
    pub size_bytes: u64,
    /// When it was last written to.
    pub modified: Option<DateTime<Utc>>,
}

/// A part of the archive that a walk could not look at. Nothing is known of the files there.
#[derive(Debug)]
pub struct Unread {
    /// The directory or file; empty: the archive's own directory.
    pub path: String,
    /// Why.
    pub source: io::Error,
}

impl Root {
    /// Shows `visit` every regular file, in no order. Hidden files and directories, links, and names the
    /// archiver can't have given (no UTF-8, control characters, too long, too deep) are passed over, and
    /// so is the `lost+found` of a file system's root. What vanishes meanwhile is passed over as well.
    ///
    /// Returns what it could not look at, and goes on behind each. Holds one open directory a level.
    pub fn walk(&self, visit: impl FnMut(Found)) -> Vec<Unread> {
        let mut walk = Walk {
            visit,
            unread: Vec::new(),
        };
        // A descriptor of its own: a shared one would share the reading position.
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
            // Gone, or replaced by something that is no directory.
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
                // The directory may be listed, and nothing in it may be looked at.
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
