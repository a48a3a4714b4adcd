//! Parts: the files downloads are written to, `.partial/<recording id>.part`.

use std::fs::File;
use std::io;

use rustix::fs::{Dir, Mode, OFlags};

use super::{REGULAR, Root, Standing, remove, stat_at};
use crate::model::RecordingId;

const SUFFIX: &str = ".part";

pub(super) fn name(id: RecordingId) -> String {
    format!("{id}{SUFFIX}")
}

impl Root {
    /// Opens a recording's part for reading and writing, made if it is not there, as the owner's alone.
    ///
    /// # Errors
    /// The system's; `InvalidInput` if it is no regular file or has a second name: writing to it would
    /// alter another file. [`Root::remove_part`] clears the way.
    pub fn open_part(&self, id: RecordingId) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | REGULAR;
        let fd = rustix::fs::openat(self.partial()?, name(id), flags, Mode::from_raw_mode(0o600))?;
        let stat = rustix::fs::fstat(&fd)?;
        if !Standing::of(&stat).is_file || stat.st_nlink != 1 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the part is not a regular file of one name",
            ));
        }
        Ok(File::from(fd))
    }

    /// The bytes of a recording's part; `None`: there is none.
    ///
    /// # Errors
    /// The system's.
    pub fn part_len(&self, id: RecordingId) -> io::Result<Option<u64>> {
        match stat_at(self.partial()?, &name(id)) {
            Ok(stat) => Ok(Some(Standing::of(&stat).size_bytes)),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a recording's part, whatever it is; that there is none is as good.
    ///
    /// # Errors
    /// The system's.
    pub fn remove_part(&self, id: RecordingId) -> io::Result<()> {
        remove(self.partial()?, &name(id))
    }

    /// The recordings that have a part. Files of other names are left alone.
    ///
    /// # Errors
    /// The system's.
    pub fn parts(&self) -> io::Result<Vec<RecordingId>> {
        let mut ids = Vec::new();
        for entry in Dir::new(self.partial()?)? {
            let id: Option<RecordingId> = entry?
                .file_name()
                .to_str()
                .ok()
                .and_then(|name| name.strip_suffix(SUFFIX)?.parse().ok());
            ids.extend(id);
        }
        ids.sort_unstable();
        Ok(ids)
    }
}
