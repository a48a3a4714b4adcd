//! Tries the steps of a landing in the archive's directory: nothing else shows what a file system can't do.

use std::io;
use std::path::Path;

use crate::archive::root::{Directories, Root, Step};
use crate::cli::doctor::report::Report;
use crate::config::Config;
use crate::durable::is_unsupported;
use crate::owner;

pub(super) const OWNER: &str =
    "run this as the user of the service, or give it the directory: chown room-archiver: DIRECTORY";
const NAME: &str = "file system";
/// Paths printed of a list that may be long.
const SHOWN: usize = 5;

pub(super) fn examine(config: &Config, report: &mut Report) {
    let directory = &config.archive.directory;
    if let Some((path, owner)) = owner::foreign(&config.database.path, directory) {
        let text = format!(
            "not tried: '{}' belongs to {owner}; run 'doctor' as that user",
            path.display()
        );
        report.note(NAME, &text);
        return;
    }
    match Root::open(directory) {
        Ok(root) => {
            steps(&root, config.archive.file_mode.bits(), report);
            directories(&root.unusable_directories(), report);
        }
        Err(error) => report.fail(NAME, &error.to_string(), OWNER),
    }
}

fn steps(root: &Root, mode: u32, report: &mut Report) {
    let trial = root.try_out(mode);
    let mut failed = false;
    for (step, error) in &trial.failed {
        let text = format!("could not {}: {error}", step.action());
        match step {
            Step::SetMode => {
                let text = format!("{text}; archive.file_mode has no effect there");
                report.note(NAME, &text);
            }
            Step::SyncDirectory if is_lacking(error) => {
                let text = format!("{text}; after a power cut some files may be downloaded again");
                report.note(NAME, &text);
            }
            _ => {
                failed = true;
                report.fail(NAME, &text, remedy(error));
            }
        }
    }
    for path in &trial.left {
        report.note(NAME, &format!("remove '{path}' in the archive by hand"));
    }
    if !failed {
        let text = format!(
            "a file was created, synced, moved without replacing another, and removed; names may have {} bytes",
            root.name_max()
        );
        report.ok(NAME, &text);
    }
}

fn is_lacking(error: &io::Error) -> bool {
    rustix::io::Errno::from_io_error(error).is_some_and(is_unsupported)
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => OWNER,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room: not even a small file fits (inodes may be used up, see 'df -i')"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "mount the file system for writing; if a disk error made it read-only, the system's log says so"
        }
        io::ErrorKind::CrossesDevices => {
            "unmount what is mounted at '.partial': files are moved from there into the archive in one step"
        }
        _ if rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::IO) => {
            "look for disk errors in the system's log"
        }
        _ => {
            "this file system can't hold an archive: set archive.directory to a directory on another one"
        }
    }
}

fn directories(found: &Directories, report: &mut Report) {
    for path in found.elsewhere.iter().take(SHOWN) {
        report.fail(
            NAME,
            &format!("'{path}' in the archive is on another file system or mount"),
            "unmount it: recordings whose files belong there are not archived until then",
        );
    }
    for unread in found.unread.iter().take(SHOWN) {
        let path = Path::new(&unread.path).display();
        report.fail(
            NAME,
            &format!("'{path}' in the archive can't be read: {}", unread.source),
            OWNER,
        );
    }
    for list in [found.elsewhere.len(), found.unread.len()] {
        if list > SHOWN {
            report.note(NAME, &format!("and {} more directories", list - SHOWN));
        }
    }
}
