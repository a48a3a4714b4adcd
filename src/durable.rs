//! Directories that a power cut can't take back.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

/// Makes a directory, and those it lies in, where they are not there. Durable when this returns, also if
/// an earlier process made it and was killed.
///
/// # Errors
/// The system's.
pub fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    let parent = match path.parent() {
        None => return Ok(()),
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
    };
    if path.is_dir() {
        // As far as it can be done: others may have made it, where this process may not look.
        _ = File::open(parent).and_then(|parent| parent.sync_all());
        return Ok(());
    }
    make_directory(parent, mode)?;
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => Err(error),
        _ => File::open(parent)?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

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
