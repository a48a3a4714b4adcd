//! Tries the steps of a landing with a test file, for `doctor`: permissions alone do not show what works.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat};
use rustix::io::Errno;
use uuid::Uuid;

use super::place::mount;
use super::{
    DIRECTORY, PARTIAL, REGULAR, Root, Unread, make_directory, open_regular, rename_new, stat_at,
};
use crate::archive::paths::MAX_COMPONENTS;

/// A step of a landing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Makes `.partial` and a file in it.
    Create,
    /// Writes to the file.
    Write,
    /// Sets its mode. The archive works without.
    SetMode,
    /// Syncs it.
    SyncFile,
    /// Makes a directory.
    MakeDirectory,
    /// Moves the file there, to the longest name, and never onto another file.
    Rename,
    /// Syncs the directory. The archive works without.
    SyncDirectory,
    /// Removes the files and directories of the test.
    Remove,
}

impl Step {
    /// What it does, as in "could not …".
    #[must_use]
    pub fn action(self) -> &'static str {
        match self {
            Self::Create => "create a file in '.partial'",
            Self::Write => "write to a file",
            Self::SetMode => "set the mode of a file",
            Self::SyncFile => "sync a file to the disk",
            Self::MakeDirectory => "create a directory",
            Self::Rename => "rename a file without replacing another",
            Self::SyncDirectory => "sync a directory to the disk",
            Self::Remove => "remove what was made for the test",
        }
    }
}

/// The result of the steps.
#[derive(Debug, Default)]
pub struct Trial {
    /// The steps that failed. After a necessary one failed, none was tried.
    pub failed: Vec<(Step, io::Error)>,
    /// What could not be removed, relative to the archive.
    pub left: Vec<String>,
}

/// Directories in which no file can land, relative to the archive.
#[derive(Debug, Default)]
pub struct Directories {
    /// On another file system or mount than the archive.
    pub elsewhere: Vec<String>,
    /// Not readable.
    pub unread: Vec<Unread>,
}

impl Root {
    /// Takes a test file through all steps of a landing and removes it.
    #[must_use]
    pub fn try_out(&self, mode: u32) -> Trial {
        let root = self.directory();
        let id = Uuid::new_v4();
        let (file, directory) = (format!("doctor-{id}"), format!(".doctor-{id}"));
        let second = format!("{file}-2");
        let target = "x".repeat(self.name_max());
        let mut trial = Trial::default();
        let was_there = stat_at(root.as_ref(), PARTIAL).is_ok();
        let result = steps(
            &root,
            [&file, &second, &directory, &target],
            mode,
            &mut trial,
        );
        if let Err((step, error)) = result {
            trial.failed.push((step, error));
        }
        let mut remove = |inside: &str, name: &str, flags| {
            let path = if inside.is_empty() {
                name.to_owned()
            } else {
                format!("{inside}/{name}")
            };
            match rustix::fs::unlinkat(root.as_ref(), &path, flags) {
                Ok(()) | Err(Errno::NOENT | Errno::NAMETOOLONG) => {}
                Err(error) => {
                    trial.failed.push((Step::Remove, error.into()));
                    trial.left.push(path);
                }
            }
        };
        remove(PARTIAL, &file, AtFlags::empty());
        remove(PARTIAL, &second, AtFlags::empty());
        remove(&directory, &target, AtFlags::empty());
        remove("", &directory, AtFlags::REMOVEDIR);
        if !was_there {
            remove("", PARTIAL, AtFlags::REMOVEDIR);
        }
        trial
    }

    /// The directories in which no file can land. Hidden ones are skipped.
    #[must_use]
    pub fn unusable_directories(&self) -> Directories {
        let mut found = Directories::default();
        let root = self.directory();
        if let Ok(here) = mount(root.as_ref()) {
            let opened = openat(root.as_ref(), ".", DIRECTORY, Mode::empty());
            find_unusable(opened, "", 1, here, &mut found);
        }
        found
    }
}

fn find_unusable(
    opened: rustix::io::Result<OwnedFd>,
    path: &str,
    depth: usize,
    here: super::place::Mount,
    found: &mut Directories,
) {
    let result = opened.and_then(|directory| {
        if mount(&directory)? != here {
            found.elsewhere.push(path.to_owned());
            return Ok(());
        }
        let mut entries = Dir::new(directory)?;
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            let hidden = name.starts_with('.') || (depth == 1 && name == "lost+found");
            let directory = match entry.file_type() {
                FileType::Directory => true,
                FileType::Unknown => stat_at(entries.fd()?, name)
                    .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir()),
                _ => false,
            };
            if directory && !hidden && depth < MAX_COMPONENTS {
                let inner = openat(entries.fd()?, name, DIRECTORY, Mode::empty());
                let separator = if path.is_empty() { "" } else { "/" };
                let path = format!("{path}{separator}{name}");
                find_unusable(inner, &path, depth + 1, here, found);
            }
        }
        Ok(())
    });
    match result {
        Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
        Err(error) => found.unread.push(Unread {
            path: path.to_owned(),
            source: error.into(),
        }),
    }
}

fn steps(
    root: &OwnedFd,
    [file, second, directory, target]: [&str; 4],
    mode: u32,
    trial: &mut Trial,
) -> Result<(), (Step, io::Error)> {
    let failed = |step| move |error: Errno| (step, io::Error::from(error));
    let partial = make_directory(root, PARTIAL, 0o700).map_err(failed(Step::Create))?;
    let create = |name: &str| {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | REGULAR;
        let opened = openat(&partial, name, flags, Mode::from_raw_mode(0o600));
        opened.map(File::from).map_err(failed(Step::Create))
    };
    let mut part = create(file)?;
    part.write_all(&[0; 4096])
        .map_err(|error| (Step::Write, error))?;
    let mode = Mode::from_raw_mode(mode & 0o777);
    let set = rustix::fs::fchmod(&part, mode).and_then(|()| rustix::fs::fstat(&part));
    match set {
        Ok(stat) if Mode::from_raw_mode(stat.st_mode) & Mode::from_raw_mode(0o777) == mode => {}
        Ok(_) => {
            let ignored = io::Error::other("the file system ignores it");
            trial.failed.push((Step::SetMode, ignored));
        }
        Err(error) => trial.failed.push((Step::SetMode, error.into())),
    }
    rustix::fs::fsync(&part).map_err(failed(Step::SyncFile))?;
    let directory = make_directory(root, directory, 0o750).map_err(failed(Step::MakeDirectory))?;
    rename_new(&partial, file, &directory, target).map_err(failed(Step::Rename))?;
    open_regular(&directory, target, OFlags::RDONLY).map_err(|error| (Step::Rename, error))?;
    drop(create(second)?);
    match rename_new(&partial, second, &directory, target) {
        Err(Errno::EXIST) => {}
        Err(error) => return Err(failed(Step::Rename)(error)),
        Ok(()) => {
            let replaced = io::Error::other("the file system replaced a file");
            return Err((Step::Rename, replaced));
        }
    }
    for synced in [&directory, &partial, root] {
        rustix::fs::fsync(synced).map_err(failed(Step::SyncDirectory))?;
    }
    Ok(())
}
