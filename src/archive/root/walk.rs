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

impl Root {
    /// Shows `visit` every regular file, in no order. Hidden files and directories, links, and names the
    /// archiver can't have given (no UTF-8, control characters, too long, too deep) are passed over, and
    /// so is the `lost+found` of a file system's root. What vanishes meanwhile is not an error.
    ///
    /// Holds one open directory a level, nothing more.
    ///
    /// # Errors
    /// The system's: an unreadable directory could hold archived files.
    pub fn walk(&self, mut visit: impl FnMut(Found)) -> io::Result<()> {
        // A descriptor of its own: a shared one would share the reading position.
        let root = rustix::fs::openat(&self.directory, ".", DIRECTORY, Mode::empty())?;
        walk(root, "", 1, &mut visit)
    }
}

fn walk(
    directory: OwnedFd,
    prefix: &str,
    depth: usize,
    visit: &mut impl FnMut(Found),
) -> io::Result<()> {
    let mut entries = Dir::new(directory)?;
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else {
            continue;
        };
        if name.starts_with('.') || (depth == 1 && name == "lost+found") {
            continue;
        }
        let Ok(path) = RelativePath::parse(&format!("{prefix}{name}")) else {
            continue;
        };
        let here = entries.fd()?;
        let stat = match stat_at(here, name) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => continue,
            Err(error) => return Err(error.into()),
        };
        let standing = Standing::of(&stat);
        if standing.is_file {
            visit(Found {
                path,
                size_bytes: standing.size_bytes,
                modified: standing.modified,
            });
        } else if depth < MAX_COMPONENTS
            && rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir()
        {
            match rustix::fs::openat(here, name, DIRECTORY, Mode::empty()) {
                Ok(inner) => walk(inner, &format!("{path}/"), depth + 1, visit)?,
                // Gone, or replaced by something that is no directory.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}
