//! The archive's directory: the only module that touches the files in it. It holds the directory open and
//! reaches everything in it component by component, never through a symbolic link, so that nothing a user
//! puts into the archive can redirect a write or read.

mod beside;
mod error;
mod land;
mod parts;
mod place;
mod syncs;
#[cfg(test)]
mod tests;
mod there;
mod trial;
mod walk;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use uuid::Uuid;

use super::paths::{MAX_COMPONENT, MIN_COMPONENT, RelativePath};
use crate::durable;
pub use beside::{Existing, How, Small};
pub use error::{LandError, PlaceError};
pub use parts::PartError;
use syncs::Syncs;
pub use there::NotThere;
pub use trial::{Directories, Step, Trial};
pub use walk::{Found, Unread};

/// The file that makes a directory the archive of a database.
pub const MARKER: &str = ".room-archiver";
const PARTIAL: &str = ".partial";
const QUARANTINE: &str = ".quarantine";

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// Without `NONBLOCK`, opening a FIFO in the archive would block for ever.
const REGULAR: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// A file's device, inode and last change. While the archive's directory is open, no other device can get its
/// number.
type Stamp = (u64, u64, i64, u64);

/// What exists at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether it is a regular file; a symbolic link is not.
    pub is_file: bool,
    /// Its bytes.
    pub size_bytes: u64,
    /// When it was last written to.
    pub modified: Option<DateTime<Utc>>,
}

/// The archive's directory.
#[derive(Debug)]
pub struct Root {
    /// The configured path.
    path: PathBuf,
    /// The open directory; replaced when the path leads to the same archive on another device.
    held: RwLock<Arc<OwnedFd>>,
    /// The id in its marker, as it was first seen.
    id: OnceLock<Uuid>,
    /// The marker, when [`Root::check_there`] last read it.
    seen: Mutex<Option<Stamp>>,
    name_max: usize,
    syncs: Syncs,
    mode_refused: Once,
}

impl Root {
    /// Opens the archive's directory. The path may contain symbolic links of the operator. Nothing is written:
    /// it may be a mount point without its disk, until the marker was seen.
    ///
    /// # Errors
    /// The system's, for instance if it does not exist or is not a directory.
    pub fn open(path: &Path) -> io::Result<Self> {
        let directory = open_root(path)?;
        Ok(Self {
            path: path.to_owned(),
            name_max: name_max(&directory),
            held: RwLock::new(Arc::new(directory)),
            id: OnceLock::new(),
            seen: Mutex::default(),
            syncs: Syncs::default(),
            mode_refused: Once::new(),
        })
    }

    /// The most bytes that a name in the archive can have.
    #[must_use]
    pub fn name_max(&self) -> usize {
        self.name_max
    }

    /// The archive's id from its marker file, `None` without one: not mounted, or not an archive yet.
    ///
    /// # Errors
    /// The system's; `InvalidData` if the marker contains no id.
    pub fn marker(&self) -> io::Result<Option<Uuid>> {
        let marker = read_marker(self.directory().as_ref())?;
        if let Some(id) = marker {
            self.id.get_or_init(|| id);
        }
        Ok(marker)
    }

    /// Marks the directory as the archive `id`, durably and atomically.
    ///
    /// # Errors
    /// The system's; `AlreadyExists` if it has a marker.
    pub fn write_marker(&self, id: Uuid) -> io::Result<()> {
        let directory = self.directory();
        let new = format!("{MARKER}.new");
        // A crash during an earlier attempt may have left it.
        remove(&directory, &new)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | REGULAR;
        let fd = rustix::fs::openat(&directory, &new, flags, Mode::from_raw_mode(0o640))?;
        let mut file = File::from(fd);
        writeln!(file, "{id}")?;
        file.sync_all()?;
        let written = rename_new(&directory, &new, &directory, MARKER);
        if written.is_err() {
            remove(&directory, &new)?;
        }
        written?;
        durable::sync_directory(&directory)?;
        self.id.get_or_init(|| id);
        Ok(())
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// The system's, such as `NotFound`; `InvalidInput` if it is not a regular file; an error too if the path
    /// contains a symbolic link.
    pub fn open_file(&self, path: &RelativePath) -> io::Result<File> {
        let parent = self.parent(path)?;
        open_regular(&parent, path.file_name(), OFlags::RDONLY)
    }

    /// What exists at a path; `None`: nothing.
    ///
    /// # Errors
    /// The system's; an error too if a parent is a symbolic link or a file.
    pub fn stat(&self, path: &RelativePath) -> io::Result<Option<Standing>> {
        let stat = self
            .parent(path)
            .and_then(|parent| Ok(stat_at(&parent, path.file_name())?));
        match stat {
            Ok(stat) => Ok(Some(Standing::of(&stat))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Free bytes for unprivileged users.
    pub fn free_space(&self) -> io::Result<u64> {
        let stat = rustix::fs::fstatvfs(self.directory().as_ref())?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// The open directory. A step keeps the one it began with.
    fn directory(&self) -> Arc<OwnedFd> {
        let held = self.held.read();
        held.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn partial(&self) -> io::Result<OwnedFd> {
        Ok(make_directory(self.directory().as_ref(), PARTIAL, 0o700)?)
    }

    /// The directory a path's last component is in.
    fn parent(&self, path: &RelativePath) -> io::Result<OwnedFd> {
        let mut at = self.directory().try_clone()?;
        for component in path.parents() {
            at = rustix::fs::openat(&at, component, DIRECTORY, Mode::empty())?;
        }
        Ok(at)
    }
}

impl Standing {
    fn of(stat: &Stat) -> Self {
        let nanoseconds = u32::try_from(stat.st_mtime_nsec).unwrap_or_default();
        Self {
            is_file: FileType::from_raw_mode(stat.st_mode).is_file(),
            size_bytes: u64::try_from(stat.st_size).unwrap_or_default(),
            modified: DateTime::from_timestamp(stat.st_mtime, nanoseconds),
        }
    }
}

/// Opens the archive's directory, through links as well.
fn open_root(path: &Path) -> io::Result<OwnedFd> {
    let flags = DIRECTORY.difference(OFlags::NOFOLLOW);
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

fn read_marker(directory: impl AsFd) -> io::Result<Option<Uuid>> {
    let file = match open_regular(directory, MARKER, OFlags::RDONLY) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(100).read_to_string(&mut text)?;
    Uuid::try_parse(text.trim()).map(Some).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "the marker file '.room-archiver' contains no id",
        )
    })
}

/// The most bytes that a name can have here. File systems do not always report it correctly, so the limit is
/// found by a binary search with lookups.
fn name_max(directory: impl AsFd) -> usize {
    let reported = rustix::fs::fstatvfs(&directory).map_or(0, |stat| stat.f_namemax);
    let mut most = match usize::try_from(reported) {
        Ok(1..MAX_COMPONENT) => usize::try_from(reported).unwrap_or(MAX_COMPONENT),
        _ => MAX_COMPONENT,
    };
    let fits = |bytes| stat_at(&directory, "x".repeat(bytes)).err() != Some(Errno::NAMETOOLONG);
    let mut least = MIN_COMPONENT;
    if most <= least || fits(most) {
        return most.max(least);
    }
    while most - least > 1 {
        let middle = usize::midpoint(least, most);
        if fits(middle) {
            least = middle;
        } else {
            most = middle;
        }
    }
    least
}

/// Opens a directory, and creates it if it does not exist. The caller syncs `parent`.
fn make_directory(parent: impl AsFd, name: &str, mode: u32) -> rustix::io::Result<OwnedFd> {
    match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(mode)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error),
    }
    rustix::fs::openat(&parent, name, DIRECTORY, Mode::empty())
}

/// Opens an existing regular file.
fn open_regular(parent: impl AsFd, name: &str, access: OFlags) -> io::Result<File> {
    let fd = rustix::fs::openat(parent, name, access | REGULAR, Mode::empty())?;
    if !Standing::of(&rustix::fs::fstat(&fd)?).is_file {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    Ok(File::from(fd))
}

fn stat_at(parent: impl AsFd, name: impl rustix::path::Arg) -> rustix::io::Result<Stat> {
    rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// Removes a file, if it exists.
fn remove(parent: impl AsFd, name: &str) -> io::Result<()> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Renames without replacing anything: `EXIST` if the new name exists.
fn rename_new(from: impl AsFd, old: &str, to: impl AsFd, new: &str) -> rustix::io::Result<()> {
    match rustix::fs::renameat_with(&from, old, &to, new, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_new(from, old, to, new),
        result => result,
    }
}

/// The same for file systems without `RENAME_NOREPLACE`, such as NFS. A crash between the two steps leaves
/// the file under both names.
fn link_new(from: impl AsFd, old: &str, to: impl AsFd, new: &str) -> rustix::io::Result<()> {
    match rustix::fs::linkat(&from, old, &to, new, AtFlags::empty()) {
        Err(Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP) => claim_new(from, old, to, new),
        linked => {
            linked?;
            rustix::fs::unlinkat(from, old, AtFlags::empty())
        }
    }
}

/// The same for file systems without hard links too, such as some FUSE ones: an empty file claims the name, and
/// the rename replaces it. A crash in between leaves an empty file, which is not taken for the recording.
fn claim_new(from: impl AsFd, old: &str, to: impl AsFd, new: &str) -> rustix::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | REGULAR;
    drop(rustix::fs::openat(
        &to,
        new,
        flags,
        Mode::from_raw_mode(0o600),
    )?);
    let renamed = rustix::fs::renameat(from, old, &to, new);
    if renamed.is_err() {
        _ = rustix::fs::unlinkat(to, new, AtFlags::empty());
    }
    renamed
}
