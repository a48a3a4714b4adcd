//! Creates directories so that they survive a power cut.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Once;

use rustix::io::Errno;

/// Creates a directory and its parents, if they do not exist. It is durable when this returns, even if an earlier
/// process created it and was killed.
pub fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    let parent = match path.parent() {
        None => return Ok(()),
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
    };
    if path.is_dir() {
        // Best effort: the parent may belong to another user and not be readable.
        _ = File::open(parent).map(sync_directory);
        return Ok(());
    }
    make_directory(parent, mode)?;
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => Err(error),
        _ => Ok(sync_directory(File::open(parent)?)?),
    }
}

/// Makes the entries of a directory durable. If the file system can't sync a directory (some FUSE, CIFS and 9p
/// ones), the whole file system is synced: there is nothing better.
///
/// # Errors
/// The system's, if it could sync the directory and failed.
pub fn sync_directory(directory: impl AsFd) -> rustix::io::Result<()> {
    static WARNED: Once = Once::new();
    match rustix::fs::fsync(&directory) {
        Err(error) if is_unsupported(error) => {
            WARNED.call_once(|| {
                tracing::warn!(
                    "the file system can't sync a directory ({error}): after a power cut files may be missing and will be downloaded again"
                );
            });
            match rustix::fs::syncfs(&directory) {
                Err(error) if is_unsupported(error) => Ok(()),
                synced => synced,
            }
        }
        synced => synced,
    }
}

/// Whether an error means that the file system does not support the operation, not that it failed.
#[must_use]
pub fn is_unsupported(error: Errno) -> bool {
    matches!(
        error,
        Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS | Errno::BADF | Errno::ISDIR | Errno::NOTTY
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_can_not_be_synced_alone_is_synced_with_its_file_system() {
        // A pipe refuses fsync with EINVAL, as such directories do.
        let (pipe, _end) = std::io::pipe().unwrap();
        assert_eq!(rustix::fs::fsync(&pipe), Err(Errno::INVAL));
        assert_eq!(sync_directory(&pipe), Ok(()));
        assert!(!is_unsupported(Errno::IO));
    }

    #[test]
    fn directories_are_made_with_those_they_lie_in_and_files_are_none() {
        let directory = tempfile::tempdir().unwrap();
        let nested = directory.path().join("a/b");
        make_directory(&nested, 0o750).unwrap();
        make_directory(&nested, 0o700).unwrap();
        let mode = nested.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777 & !0o750, 0);
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(make_directory(&file, 0o750).is_err());
        assert!(make_directory(&file.join("below"), 0o750).is_err());
    }
}
