//! What the page reads: the public views alone, by a read-only connection. Each read ends before its answer is sent,
//! so that no viewer keeps the database from being checkpointed.

mod gaps;
mod place;
mod recording;
mod recordings;
mod rooms;
mod sessions;
mod snapshot;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tokio::sync::Mutex;

use super::failure::Failure;
pub(super) use place::Place;
pub(super) use recording::{ArchivedFile, Attempt, Copy, Detail, Note};
pub(super) use recordings::{Recording, Wanted};
pub(super) use rooms::Room;
pub(super) use sessions::{Session, WantedSessions};
pub(super) use snapshot::{Day, Snapshot, Snapshots};

/// Rows of a page: with the longest names it stays below 15 KB.
pub(super) const ROWS: usize = 25;
/// Sessions of a room that one request looks at to fill a page. What it does not reach is a link away.
const REACH: usize = 800;
/// How long a statement waits for a lock, and a request for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Greater than any time and any id.
const LAST: &str = "~";

/// A number of rows, for a statement.
fn number(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// Up to [`ROWS`] rows, and where the next page begins.
#[derive(Debug)]
pub(super) struct Listed<T, P> {
    pub(super) rows: Vec<T>,
    /// Where to go on; `None`: that was all.
    pub(super) next: Option<P>,
    /// The page is not full because the search stopped there.
    pub(super) cut: bool,
}

/// What keeps the archive from being healthy, a line each; or why the database can't be read, in a sentence.
pub type Judge = Arc<dyn Fn() -> BoxFuture<'static, Result<Vec<String>, String>> + Send + Sync>;

/// The database file, opened again when it was replaced.
pub(super) struct Database {
    path: PathBuf,
    judge: Judge,
    open: Mutex<Option<(Stamp, SqlitePool)>>,
}

type Stamp = (u64, u64);

impl Database {
    pub(super) fn new(path: PathBuf, judge: Judge) -> Self {
        Self {
            path,
            judge,
            open: Mutex::default(),
        }
    }

    /// Connections to the database as it is now.
    pub(super) async fn pool(&self) -> Result<SqlitePool, Failure> {
        let mut open = self.open.lock().await;
        let now = stamp(&self.path);
        match &*open {
            Some((then, pool)) if Some(*then) == now => return Ok(pool.clone()),
            _ => *open = None,
        }
        // Says in words what is wrong with it: missing, of another release, damaged.
        (self.judge)().await.map_err(unavailable)?;
        let pool = connect(&self.path);
        if let Some(now) = now {
            *open = Some((now, pool.clone()));
        }
        Ok(pool)
    }
}

pub(super) fn unavailable(why: String) -> Failure {
    tracing::warn!(error = why, "could not read the database for the page");
    Failure::Unavailable(why)
}

/// Which file it is; not through SQLite, and without opening it: that would drop SQLite's locks.
fn stamp(path: &Path) -> Option<Stamp> {
    let file = std::fs::metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}

fn connect(path: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(PATIENCE)
        .statement_cache_capacity(64)
        .pragma("cache_size", "-2000")
        .pragma("query_only", "ON");
    SqlitePoolOptions::new()
        .max_connections(3)
        .acquire_timeout(PATIENCE)
        .acquire_slow_threshold(PATIENCE)
        .idle_timeout(Duration::from_mins(10))
        .test_before_acquire(false)
        .connect_lazy_with(options)
}
