//! Landing: makes a whole part a durable file of the archive, and quarantines a file that occupies its place.
//! Neither ever replaces a file.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::error::{LandError, PlaceError, reaches_the_disk};
use super::{PARTIAL, QUARANTINE, Root, make_directory, open_regular, parts, rename_new};
use crate::archive::paths::RelativePath;
use crate::durable::sync_directory;
use crate::model::RecordingId;

impl Root {
    /// Makes a recording's part the file at `path` with the permissions `mode`: durable when this
    /// returns. The caller has synced the part's bytes before it judged them.
    pub fn land(&self, id: RecordingId, path: &RelativePath, mode: u32) -> Result<(), LandError> {
        let hidden = path.components().find(|name| name.starts_with('.'));
        if let Some(name) = hidden {
            return Err(PlaceError::new("use the hidden name", name, Errno::INVAL).into());
        }
        let root = self.directory();
        let disk = |action| {
            move |error: io::Error| LandError::Disk {
                action,
                path: path.clone(),
                error,
            }
        };
        let part_error = |action| {
            move |error: io::Error| LandError::Part {
                action,
                path: path.clone(),
                error,
            }
        };
        let partial = make_directory(root.as_ref(), PARTIAL, 0o700)
            .map_err(|error| disk("open '.partial'")(error.into()))?;
        let name = parts::name(id);
        let part = open_regular(&partial, &name, OFlags::RDWR).map_err(|error| {
            let lacking = Errno::from_io_error(&error).is_some_and(reaches_the_disk);
            if lacking {
                disk("open the part")(error)
            } else {
                part_error("open the part")(error)
            }
        })?;
        self.set_mode(&part, mode)
            .map_err(|error| LandError::new("set the permissions", path, ".partial", error))?;
        rustix::fs::fsync(&part)
            .map_err(|error| part_error("make the part durable")(error.into()))?;
        let directories = make_parents(&root, path)?;
        let to = directories.last().unwrap_or(&root);
        rename_new(&partial, &name, to, path.file_name()).map_err(|error| match error {
            Errno::EXIST => LandError::Occupied(path.clone()),
            Errno::NAMETOOLONG => PlaceError::NameTooLong(path.file_name().to_owned()).into(),
            error => LandError::new("rename the part", path, directory_of(path), error),
        })?;
        // Every directory up to the root, not only new ones: another landing, or an earlier run that was killed,
        // may have created one without having synced it.
        let changed = [&partial, root.as_ref()];
        let synced = self.syncs.sync(directories.iter().chain(changed));
        synced.map_err(|error| {
            // A file must not stay in the archive without being durable. If this rename fails too, the next
            // attempt finds the file and examines it.
            _ = rename_new(to, path.file_name(), &partial, &name);
            match error {
                Errno::NOSPC | Errno::DQUOT | Errno::ROFS => {
                    disk("make the name durable")(error.into())
                }
                error => part_error("make the name durable")(error.into()),
            }
        })
    }

    /// Sets the mode of a part, if the file system supports that.
    pub(super) fn set_mode(&self, part: &std::fs::File, mode: u32) -> rustix::io::Result<()> {
        match rustix::fs::fchmod(part, Mode::from_raw_mode(mode & 0o777)) {
            Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::IO)) => Err(error),
            Err(error) => {
                self.mode_refused.call_once(|| {
                    tracing::warn!(
                        "archive.file_mode can't be set on this file system ({error}): files keep its default mode"
                    );
                });
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Makes an existing file, and its name, as durable as a landed one.
    pub fn make_durable(&self, path: &RelativePath) -> io::Result<()> {
        self.open_file(path)?.sync_all()?;
        let root = self.directory();
        let directories = make_parents(&root, path).map_err(io::Error::other)?;
        Ok(self.syncs.sync(directories.iter().chain([root.as_ref()]))?)
    }

    /// Moves what exists at `path` (file, link or directory, unread) into `.quarantine`, durably and under an
    /// unused name, which contains `reason`. Returns the new path.
    pub fn quarantine(&self, path: &RelativePath, reason: &str) -> io::Result<RelativePath> {
        let root = self.directory();
        let from = self.parent(path)?;
        let quarantine = make_directory(root.as_ref(), QUARANTINE, 0o750)?;
        let reason: String = reason
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(20)
            .collect();
        let name = path.file_name();
        // Room for the reason and a number.
        let most = self.name_max - 28;
        let base = format!("{}.{reason}", &name[..name.floor_char_boundary(most)]);
        for number in 1..=u16::MAX {
            let new = match number {
                1 => base.clone(),
                number => format!("{base}.{number}"),
            };
            match rename_new(&from, name, &quarantine, &new) {
                Err(Errno::EXIST) => {}
                result => {
                    result?;
                    sync_directory(&quarantine)?;
                    sync_directory(root.as_ref())?;
                    sync_directory(&from)?;
                    return RelativePath::parse(&format!("{QUARANTINE}/{new}"))
                        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// The path of a recording's part, for messages and [`Root::quarantine`].
    ///
    /// # Panics
    /// Never: an id makes a clean name.
    #[must_use]
    pub fn part_path(id: RecordingId) -> RelativePath {
        RelativePath::parse(&format!("{PARTIAL}/{}", parts::name(id))).expect("an id is clean")
    }
}

/// The directories of `path`, outermost first; creates those that do not exist.
fn make_parents(root: &OwnedFd, path: &RelativePath) -> Result<Vec<OwnedFd>, LandError> {
    let mut chain: Vec<OwnedFd> = Vec::new();
    let mut end = 0;
    for component in path.parents() {
        end += usize::from(end > 0) + component.len();
        let made = make_directory(chain.last().unwrap_or(root), component, 0o750);
        chain.push(made.map_err(|error| {
            let directory = &path.as_str()[..end];
            LandError::new("make the directory", path, directory, error)
        })?);
    }
    Ok(chain)
}

fn directory_of(path: &RelativePath) -> &str {
    let parent = path.as_str().rsplit_once('/');
    parent.map_or(".", |(directory, _)| directory)
}
