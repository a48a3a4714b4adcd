//! Checks at the start: that archive, database and configured project belong together, and that disk and rows agree.

mod source;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::archive::paths::recording_id_in;
use crate::archive::root::{Root, Unread};
use crate::durable;
use crate::human;
use crate::store::{self, Compared, Found, Store};
pub use source::{OtherSource, Source, SourceError};

/// Called whenever the comparison has made progress.
type Beat = dyn Fn() + Send + Sync;

/// The fact that names the archive, as its marker file does.
pub const ARCHIVE_ID: &str = "archive_id";
/// The fact that the last instance ended in order.
const CLEAN_STOP: &str = "clean_stop";
/// The fact that the last comparison could not read everything.
const COMPARE_AGAIN: &str = "compare_again";
/// Files reported to the database at a time.
const BATCH: usize = 1000;

/// Why a directory can't be used as the archive.
#[derive(Debug, thiserror::Error)]
pub enum NotTheArchive {
    /// No marker, though the database knows of an archive.
    #[error(
        "'{0}' is not the archive of this database: its marker file '.room-archiver' is missing. \
         Is the disk mounted? Nothing was written there"
    )]
    Unmounted(PathBuf),
    /// The marker of another archive.
    #[error("'{0}' is the archive of another database: check archive.directory and database.path")]
    Foreign(PathBuf),
    /// It can't be read or created.
    #[error("could not open the archive '{path}'")]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Makes sure that the archive's directory exists. Creates only that of a new archive: an existing database
/// without its directory means that a disk is not mounted.
///
/// # Errors
/// [`NotTheArchive::Unmounted`] or [`NotTheArchive::Io`].
pub fn prepare_directory(path: &Path, database: &Path) -> Result<(), NotTheArchive> {
    if database.exists() {
        return if path.is_dir() {
            Ok(())
        } else {
            Err(NotTheArchive::Unmounted(path.to_owned()))
        };
    }
    // Before the database is created: a database without the directory would mean an unmounted disk.
    durable::make_directory(path, 0o750).map_err(|source| NotTheArchive::Io {
        path: path.to_owned(),
        source,
    })
}

/// Opens the archive and compares its marker with the database's id; marks a new archive. Returns whether disk
/// and rows must be compared: after an instance that did not end in order, or with a new database.
pub async fn open(path: &Path, store: &Store) -> Result<(Arc<Root>, bool), NotTheArchive> {
    let io = |source| NotTheArchive::Io {
        path: path.to_owned(),
        source,
    };
    let root = Root::open(path).map_err(io)?;
    let marker = root.marker().map_err(io)?.map(|id| id.to_string());
    let known = store.fact(ARCHIVE_ID).await?;
    let compare = match (known, marker) {
        (None, None) => {
            let id = Uuid::new_v4();
            root.write_marker(id).map_err(io)?;
            store.set_fact(ARCHIVE_ID, Some(&id.to_string())).await?;
            true
        }
        // The database was lost: downloads will adopt the archive's files.
        (None, Some(marker)) => {
            store.set_fact(ARCHIVE_ID, Some(&marker)).await?;
            true
        }
        (Some(_), None) => return Err(NotTheArchive::Unmounted(path.to_owned())),
        (Some(known), Some(marker)) if known != marker => {
            return Err(NotTheArchive::Foreign(path.to_owned()));
        }
        (Some(_), Some(_)) => {
            store.fact(CLEAN_STOP).await?.is_none() || store.fact(COMPARE_AGAIN).await?.is_some()
        }
    };
    store.set_fact(CLEAN_STOP, None).await?;
    Ok((Arc::new(root), compare))
}

/// Opens the archive of this database, for commands that may run beside the service.
pub async fn open_known(path: &Path, store: &Store) -> Result<Arc<Root>, NotTheArchive> {
    let io = |source| NotTheArchive::Io {
        path: path.to_owned(),
        source,
    };
    let root = Root::open(path).map_err(io)?;
    let known = store.fact(ARCHIVE_ID).await?;
    match root.marker().map_err(io)?.map(|id| id.to_string()) {
        None => Err(NotTheArchive::Unmounted(path.to_owned())),
        marker if marker != known => Err(NotTheArchive::Foreign(path.to_owned())),
        _ => Ok(Arc::new(root)),
    }
}

/// Records that this instance ends in order: the next one need not compare.
pub async fn note_clean_stop(store: &Store) -> store::Result<()> {
    store.set_fact(CLEAN_STOP, Some("1")).await
}

/// Removes the parts that no download will resume: those of recordings that are archived or left out now, or
/// are not in the database. Errors are logged, and the next start tries again.
pub async fn clear_parts(root: &Arc<Root>, store: &Store) -> store::Result<()> {
    let disk = root.clone();
    let parts = tokio::task::spawn_blocking(move || disk.parts()).await;
    let parts = parts.map_err(std::io::Error::other).flatten();
    let parts = parts.unwrap_or_else(|error| {
        tracing::warn!("could not list the parts in '.partial': {error}");
        Vec::new()
    });
    let kept = store.resumable(&parts).await?;
    let disk = root.clone();
    let cleared = tokio::task::spawn_blocking(move || {
        for id in parts.into_iter().filter(|id| !kept.contains(id)) {
            tracing::info!(recording.id = %id, "removing a part that is no longer needed");
            if let Err(error) = disk.remove_part(id).and_then(|()| disk.remove_kept(id)) {
                tracing::warn!(recording.id = %id, "could not remove a part that is no longer needed: {error}");
            }
        }
    });
    if let Err(error) = cleared.await {
        std::panic::resume_unwind(error.into_panic());
    }
    Ok(())
}

/// Compares disk and rows: recordings without their archived file are downloaded again, and downloads adopt files
/// without a row. Calls `beat` after each batch of files.
///
/// A directory that can't be read, or an archive that has been unmounted, is no error: no file there counts as
/// missing, and the next start compares again.
pub async fn compare(
    root: Arc<Root>,
    store: &Store,
    now: DateTime<Utc>,
    beat: &Beat,
) -> store::Result<()> {
    store.begin_inventory().await?;
    let (send, mut batches) = tokio::sync::mpsc::channel::<Vec<Found>>(2);
    let walk = tokio::task::spawn_blocking(move || {
        let mut batch = Vec::with_capacity(BATCH);
        let unread = root.walk(|found| {
            let path = found.path.to_string();
            let id = recording_id_in(&path);
            batch.push(Found {
                path,
                bytes: found.size_bytes,
                id,
            });
            if batch.len() == BATCH {
                // Fails only if the receiver is gone, because the database failed.
                _ = send.blocking_send(std::mem::take(&mut batch));
            }
        });
        _ = send.blocking_send(batch);
        (unread, root.check_there())
    });
    while let Some(batch) = batches.recv().await {
        store.inventory(&batch).await?;
        beat();
    }
    let walked = walk.await;
    let (unread, there) =
        walked.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    let whole = there.is_ok() && unread.is_empty();
    store
        .set_fact(COMPARE_AGAIN, (!whole).then_some("1"))
        .await?;
    if let Err(error) = there {
        tracing::error!("could not compare the archive with the database: {error}");
        return store.drop_inventory().await;
    }
    report_unread(&unread);
    for unread in &unread {
        store.inventory_unread(&unread.path).await?;
        beat();
    }
    let Compared {
        damaged,
        strays,
        sidecars,
    } = store.end_inventory(now).await?;
    if sidecars > 0 {
        let sidecars = human::count(sidecars, "sidecar");
        tracing::warn!("found {sidecars} missing or altered, to be written again");
    }
    if damaged > 0 {
        let files = human::count(damaged, "archived file");
        tracing::error!("found {files} missing or altered; their recordings are downloaded again");
    }
    if strays > 0 {
        let files = human::count(strays, "file");
        tracing::info!("found {files} that the database does not know; downloads adopt what fits");
    }
    Ok(())
}

/// Logs in one line what could not be read.
fn report_unread(unread: &[Unread]) {
    let Some(first) = unread.first() else {
        return;
    };
    let path = if first.path.is_empty() {
        "."
    } else {
        &first.path
    };
    let more = match unread.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    tracing::error!(
        path,
        "could not read '{path}' in the archive{more}: {}; its files were not compared with the database; give the directory to the service's user",
        first.source
    );
}
