//! Checks the archive's directory, its free space, and the database.

mod steps;

use std::path::{Path, PathBuf};

use rustix::fs::Access as May;

use super::report::Report;
use crate::app;
use crate::archive::root::Root;
use crate::config::Config;
use crate::human;
use crate::reconcile::{self, NotTheArchive, Source};
use crate::store::{Access, OpenError, Store};
use steps::OWNER;

/// The `statfs` types of NFS, CIFS and SMB, on which SQLite's write-ahead log does not work.
const NETWORK: [i64; 3] = [0x6969, 0xff53_4d42, 0xfe53_4d42];

pub(super) async fn examine(config: &Config, report: &mut Report) {
    let directory = &config.archive.directory;
    let store = database(&config.database.path, report).await;
    if let Some(store) = &store {
        source(config, store, report).await;
    }
    if archive(directory, &config.database.path, store.as_ref(), report).await {
        steps::examine(config, report);
    }
    if let Some(store) = store {
        store.close().await;
    }
    space(directory, config.archive.min_free_space.0, report);
}

async fn database(path: &Path, report: &mut Report) -> Option<Store> {
    const NAME: &str = "database";
    if !path.exists() {
        let parent = existing(path);
        if may_write(&parent) {
            let text = format!(
                "'{}' does not exist yet: the first run creates it",
                path.display()
            );
            report.ok(NAME, &text);
        } else {
            let text = format!(
                "could not be created: this user can't write to '{}'",
                parent.display()
            );
            report.fail_as_user(NAME, &text, OWNER);
        }
        return None;
    }
    if on_network(path) {
        report.fail(
            NAME,
            &format!("'{}' is on a network share", path.display()),
            "move it to a local disk and set database.path: on a network share SQLite can corrupt it",
        );
    }
    let store = match Store::open(path, Access::Read).await {
        Ok(store) => store,
        // The service migrates it when it starts.
        Err(error @ OpenError::Older(_)) => {
            report.note(NAME, &error.to_string());
            return None;
        }
        Err(error) => {
            let remedy = match error {
                OpenError::Io { .. } | OpenError::Sqlite { .. } => {
                    "run this as the service's user, or as a member of the group room-archiver"
                }
                _ => "see 'Recover' in the README",
            };
            report.fail(NAME, &format!("{:#}", anyhow::Error::from(error)), remedy);
            return None;
        }
    };
    match store.check().await {
        Ok(damage) if damage.is_empty() => {
            report.ok(NAME, &format!("no damage in '{}'", path.display()));
        }
        Ok(damage) => report.fail(
            NAME,
            &format!("'{}' is damaged: {}", path.display(), damage.join("; ")),
            "stop the service and follow 'The database is lost or damaged' in the README",
        ),
        Err(error) => report.fail(
            NAME,
            &format!("{:#}", anyhow::Error::from(error)),
            "look for disk errors in the system's log",
        ),
    }
    Some(store)
}

/// Whether the database belongs to the configured project and space.
async fn source(config: &Config, store: &Store, report: &mut Report) {
    const NAME: &str = "project";
    let Ok(origin) = app::origin(config) else {
        return;
    };
    let project_id = &config.signalwire.project_id;
    let source = Source {
        project_id,
        origin: &origin,
    };
    match source.differs(store, &config.database.path).await {
        Ok(None) => report.ok(
            NAME,
            &format!("'{project_id}' of {origin}, the same as in the database"),
        ),
        Ok(Some(other)) => report.fail(
            NAME,
            &other.to_string(),
            "correct the configuration; the service refuses to start until then",
        ),
        Err(error) => report.fail(
            NAME,
            &format!("{:#}", anyhow::Error::from(error)),
            "look for disk errors in the system's log",
        ),
    }
}

/// Whether the directory exists, can be written to, and belongs to the database. Returns whether it can be tested.
async fn archive(
    directory: &Path,
    database: &Path,
    store: Option<&Store>,
    report: &mut Report,
) -> bool {
    const NAME: &str = "archive";
    let shown = directory.display();
    if !directory.is_dir() {
        let parent = existing(directory);
        if database.exists() {
            let error = NotTheArchive::Unmounted(directory.to_owned()).to_string();
            report.fail(NAME, &error, "mount the disk, or correct archive.directory");
        } else if parent.is_dir() && may_write(&parent) {
            report.ok(
                NAME,
                &format!("'{shown}' does not exist yet: the first run creates it"),
            );
        } else {
            let text = format!("this user can't create '{shown}' in '{}'", parent.display());
            report.fail_as_user(NAME, &text, OWNER);
        }
        return false;
    }
    if !may_write(directory) {
        let text = format!("this user can't write to '{shown}'");
        report.fail_as_user(NAME, &text, OWNER);
        return false;
    }
    let text = match store {
        Some(store) => match reconcile::open_known(directory, store).await {
            Ok(_) => format!("'{shown}', the archive of this database"),
            Err(error) => {
                let text = format!("{:#}", anyhow::Error::from(error));
                report.fail(NAME, &text, "mount the disk, or correct archive.directory");
                return false;
            }
        },
        None => match Root::open(directory).and_then(|root| root.marker()) {
            Ok(None) => format!("'{shown}': the first run makes it the archive"),
            Ok(Some(_)) if !database.exists() => {
                let text = format!("the database of '{shown}' is missing: a run adopts its files");
                report.note(NAME, &text);
                return true;
            }
            Ok(Some(_)) => format!("'{shown}'"),
            Err(error) => {
                report.fail_as_user(NAME, &format!("'{shown}': {error}"), OWNER);
                return false;
            }
        },
    };
    report.ok(NAME, &text);
    true
}

fn space(directory: &Path, wanted: u64, report: &mut Report) {
    const NAME: &str = "free space";
    match Root::open(&existing(directory)).and_then(|root| root.free_space()) {
        Ok(free) => {
            let text = format!(
                "{}; archive.min_free_space is {}",
                human::size(free),
                human::size(wanted)
            );
            if free < wanted {
                let remedy =
                    "make room or lower archive.min_free_space: downloads pause until then";
                report.fail(NAME, &text, remedy);
            } else {
                report.ok(NAME, &text);
            }
        }
        Err(error) => report.fail_as_user(NAME, &error.to_string(), OWNER),
    }
}

/// The path itself, or its nearest ancestor that exists.
fn existing(path: &Path) -> PathBuf {
    let found = path.ancestors().find(|path| path.exists());
    // The last ancestor of a relative path is "", the working directory.
    found.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Whether this user can create files in a directory.
fn may_write(directory: &Path) -> bool {
    rustix::fs::access(directory, May::READ_OK | May::WRITE_OK | May::EXEC_OK).is_ok()
}

fn on_network(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|stat| NETWORK.contains(&stat.f_type))
}
