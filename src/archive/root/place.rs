//! Checks before a transfer whether its file can land at a path of the archive.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Access, AtFlags, Mode, StatxFlags, accessat, openat, statx};
use rustix::io::Errno;

use super::error::{LandError, PlaceError};
use super::{DIRECTORY, PARTIAL, Root, stat_at};
use crate::archive::paths::RelativePath;

impl Root {
    /// Whether a file can land at `path`, as far as the deepest existing directory shows. A few system calls
    /// before each transfer; creates nothing.
    ///
    /// # Errors
    /// [`LandError::Place`], or [`LandError::Disk`] if nothing can be written anywhere.
    pub fn check_place(&self, path: &RelativePath) -> Result<(), LandError> {
        let root = self.directory();
        let mut deepest: Option<OwnedFd> = None;
        // The length of the existing part of the path, and the first name after it.
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
        let source = mount(partial.as_ref().unwrap_or(&root))
            .map_err(failed("check the mount of the directory"))?;
        if mount(at).map_err(failed("check the mount of the directory"))? != source {
            return Err(PlaceError::OtherDevice(directory.to_owned()).into());
        }
        let may = Access::WRITE_OK | Access::EXEC_OK;
        match accessat(at, ".", may, AtFlags::EACCESS) {
            // No file can land anywhere in the archive.
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
            // The landing handles what exists there, and other errors.
            _ => Ok(()),
        }
    }
}

/// The numbers of a device and of a mount.
pub(super) type Mount = (u32, u32, u64);

/// The device and the mount of a file: no file can be renamed to another device, or to another mount of the
/// same device.
pub(super) fn mount(file: impl AsFd) -> rustix::io::Result<Mount> {
    let stat = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    let known = stat.stx_mask & StatxFlags::MNT_ID.bits() != 0;
    let mount = if known { stat.stx_mnt_id } else { 0 };
    Ok((stat.stx_dev_major, stat.stx_dev_minor, mount))
}
