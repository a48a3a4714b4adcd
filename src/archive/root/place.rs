//! Whether a file can come to stand at a path of the archive, asked before it is transferred.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Access, AtFlags, Mode, StatxFlags, accessat, openat, statx};
use rustix::io::Errno;

use super::error::{LandError, PlaceError};
use super::{DIRECTORY, PARTIAL, Root, stat_at};
use crate::archive::paths::RelativePath;

impl Root {
    /// Whether a file can come to stand at `path`, as far as a look at the deepest directory that is there
    /// shows. A few system calls, made once before each transfer; nothing is made.
    ///
    /// # Errors
    /// [`LandError::Place`], or [`LandError::Disk`] if nothing can be written anywhere.
    pub fn check_place(&self, path: &RelativePath) -> Result<(), LandError> {
        let root = self.directory();
        let mut deepest: Option<OwnedFd> = None;
        // What of the path is there, and the first name that need not be.
        let (mut there, mut next) = (0, path.file_name());
        for name in path.parents() {
            let at = deepest.as_ref().unwrap_or(&root);
            let end = there + usize::from(there > 0) + name.len();
            match openat(at, name, DIRECTORY, Mode::empty()) {
                Ok(inner) => (deepest, there) = (Some(inner), end),
                Err(Errno::NOENT) => {
                    next = name;
                    break;
                }
                Err(error) => {
                    let directory = &path.as_str()[..end];
                    return Err(LandError::new("open the directory", path, directory, error));
                }
            }
        }
        let at = deepest.as_ref().unwrap_or(&root);
        let directory = if there == 0 {
            "."
        } else {
            &path.as_str()[..there]
        };
        let failed = |action| move |error| LandError::new(action, path, directory, error);
        let partial = openat(root.as_ref(), PARTIAL, DIRECTORY, Mode::empty());
        let source = mount(partial.as_ref().unwrap_or(&root)).map_err(failed("look at"))?;
        if mount(at).map_err(failed("look at"))? != source {
            return Err(PlaceError::OtherDevice(directory.to_owned()).into());
        }
        let may = Access::WRITE_OK | Access::EXEC_OK;
        match accessat(at, ".", may, AtFlags::EACCESS) {
            // No directory can be made in the archive's own.
            Err(error @ (Errno::ACCESS | Errno::PERM)) if there == 0 => {
                return Err(LandError::Disk {
                    action: "write to the archive's directory",
                    path: path.clone(),
                    error: error.into(),
                });
            }
            access => access.map_err(failed("write to the directory"))?,
        }
        let long = path.components().find(|name| name.len() > self.name_max);
        if let Some(name) = long {
            return Err(PlaceError::NameTooLong(name.to_owned()).into());
        }
        match stat_at(at, next) {
            Err(Errno::NAMETOOLONG) => Err(PlaceError::NameTooLong(next.to_owned()).into()),
            // What stands there, or why that can't be found out, is for the landing.
            _ => Ok(()),
        }
    }
}

/// A device's numbers and a mount's.
pub(super) type Mount = (u32, u32, u64);

/// The device and the mount that a file is on: neither from one device to another nor from one mount to another
/// can a file be renamed.
pub(super) fn mount(file: impl AsFd) -> rustix::io::Result<Mount> {
    let stat = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    let known = stat.stx_mask & StatxFlags::MNT_ID.bits() != 0;
    let mount = if known { stat.stx_mnt_id } else { 0 };
    Ok((stat.stx_dev_major, stat.stx_dev_minor, mount))
}
