//! Landing: how a whole part becomes a durable file of the archive, and how a file that is in its
//! place by no right is set aside. Neither ever replaces a file.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{PARTIAL, QUARANTINE, Root, make_directory, open_regular, parts, rename_new};
use crate::archive::paths::RelativePath;
use crate::model::RecordingId;

/// Why a part did not land.
#[derive(Debug, thiserror::Error)]
pub enum LandError {
    /// Something stands at the target and was left as it is; so was the part.
    #[error("something stands at '{0}' already")]
    Occupied(RelativePath),
    /// The disk could not make it durable, and it is the part again. What it holds is unknown now: syncing
    /// again would report success for data that is lost.
    #[error("could not make '{path}' durable")]
    Sync {
        /// The target.
        path: RelativePath,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// A step before that failed; the part is where it was.
    #[error("could not {action} for '{path}'")]
    Io {
        /// The step.
        action: &'static str,
        /// The target.
        path: RelativePath,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

impl Root {
    /// Makes a recording's part the file at `path` with the permissions `mode`: durable when this
    /// returns. The caller has synced the part's bytes before it judged them.
    ///
    /// # Errors
    /// [`LandError`].
    pub fn land(&self, id: RecordingId, path: &RelativePath, mode: u32) -> Result<(), LandError> {
        let failed = |action| {
            move |source: io::Error| LandError::Io {
                action,
                path: path.clone(),
                source,
            }
        };
        let sync = |source: Errno| LandError::Sync {
            path: path.clone(),
            source: source.into(),
        };
        if path
            .components()
            .any(|component| component.starts_with('.'))
        {
            let hidden = io::Error::new(io::ErrorKind::InvalidInput, "a part of it is hidden");
            return Err(failed("take the name")(hidden));
        }
        let partial = self.partial().map_err(failed("open '.partial'"))?;
        let name = parts::name(id);
        let part = open_regular(&partial, &name, OFlags::RDWR).map_err(failed("open the part"))?;
        rustix::fs::fchmod(&part, Mode::from_raw_mode(mode & 0o777))
            .map_err(|error| failed("set the permissions")(error.into()))?;
        rustix::fs::fsync(&part).map_err(sync)?;
        let directories = self
            .make_parents(path)
            .map_err(failed("make the directory"))?;
        let to = directories.last().unwrap_or(&self.directory);
        rename_new(&partial, &name, to, path.file_name()).map_err(|error| match error {
            Errno::EXIST => LandError::Occupied(path.clone()),
            error => failed("rename the part")(error.into()),
        })?;
        // Every directory up to the root, not only those just made: another landing, or an earlier run that
        // was killed, may have made one and not have synced it yet.
        let changed = [&partial, &self.directory];
        let synced = self.syncs.sync(directories.iter().chain(changed));
        synced.map_err(|error| {
            // A file of the archive must not stand there without being durable. Were this refused, the
            // next attempt would find it there, and judge it.
            _ = rename_new(to, path.file_name(), &partial, &name);
            sync(error)
        })
    }

    /// Makes a file that stands at `path` already, and its name, as durable as a landed one.
    ///
    /// # Errors
    /// The system's.
    pub fn make_durable(&self, path: &RelativePath) -> io::Result<()> {
        self.open_file(path)?.sync_all()?;
        let directories = self.make_parents(path)?;
        Ok(self
            .syncs
            .sync(directories.iter().chain([&self.directory]))?)
    }

    /// Sets aside what stands at `path`, durably, under a name of its own in `.quarantine`: file, link or
    /// directory, unread. `reason` becomes part of the name. Returns the new path.
    ///
    /// # Errors
    /// The system's.
    pub fn quarantine(&self, path: &RelativePath, reason: &str) -> io::Result<RelativePath> {
        let from = self.parent(path)?;
        let quarantine = make_directory(&self.directory, QUARANTINE, 0o750)?;
        let reason: String = reason
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(40)
            .collect();
        let name = path.file_name();
        let base = format!("{}.{reason}", &name[..name.floor_char_boundary(200)]);
        for number in 1..=u16::MAX {
            let new = match number {
                1 => base.clone(),
                number => format!("{base}.{number}"),
            };
            match rename_new(&from, name, &quarantine, &new) {
                Err(Errno::EXIST) => {}
                result => {
                    result?;
                    rustix::fs::fsync(&quarantine)?;
                    rustix::fs::fsync(&self.directory)?;
                    rustix::fs::fsync(&from)?;
                    return RelativePath::parse(&format!("{QUARANTINE}/{new}"))
                        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// The directories a file at `path` lies in, outermost first, made where they are not there.
    fn make_parents(&self, path: &RelativePath) -> io::Result<Vec<OwnedFd>> {
        let mut chain: Vec<OwnedFd> = Vec::new();
        for component in path.parents() {
            let parent = chain.last().unwrap_or(&self.directory);
            let made = make_directory(parent, component, 0o750)?;
            chain.push(made);
        }
        Ok(chain)
    }

    /// The path of a recording's part, as for [`Root::quarantine`].
    ///
    /// # Panics
    /// Never: an id makes a clean name.
    #[must_use]
    pub fn part_path(id: RecordingId) -> RelativePath {
        RelativePath::parse(&format!("{PARTIAL}/{}", parts::name(id))).expect("an id is clean")
    }
}
