//! Opens, checks, migrates and closes the database file.

use std::fs::{OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqlSafeStr as _, SqliteConnection};

use crate::store::rows::statements;
use crate::store::{Access, Ends, Store, Trouble};

statements! {
    READ_APPLICATION_ID = "PRAGMA application_id";
    COUNT_TABLES = "SELECT count(*) FROM sqlite_schema";
    IS_MIGRATED = "SELECT count(*) > 0 FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    NEWEST_MIGRATION = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations";
}

/// The mark of our database files, in SQLite's header (`PRAGMA application_id`).
pub(super) const APPLICATION_ID: i64 = 0x524d_4152;
/// The owner writes, the archive's group reads.
pub(super) const MODE: u32 = 0o640;
/// How long a statement waits for another writer before it fails. With [`ACQUIRE`] below half the watchdog's minute:
/// whoever waits for the database still shows signs of life.
pub(super) const BUSY: Duration = Duration::from_secs(10);
/// How long a task waits for a connection that others use.
const ACQUIRE: Duration = Duration::from_secs(20);

/// The log of changes: from how many pages on it is moved to the file, and how many bytes of it are kept then.
pub(super) const LOG: [(&str, &str); 2] = [
    ("wal_autocheckpoint", "8000"),
    ("journal_size_limit", "67108864"),
];
/// Why a database could not be opened. Nothing of it was changed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub enum OpenError {
    /// There is none, and it was to be read only.
    #[error(
        "there is no database at '{0}' yet: start the service or run 'room-archiver once' first"
    )]
    Missing(PathBuf),
    /// Its directory or the file itself can't be used.
    #[error("could not open the database '{path}'")]
    Io { path: PathBuf, source: io::Error },
    /// Another program's database, or no database at all.
    #[error(
        "'{0}' is not a room-archiver database; move it away or set database.path to another file"
    )]
    Foreign(PathBuf),
    /// Damaged.
    #[error(
        "the database '{path}' is damaged; move it away and run 'room-archiver once --sweep': \
             it is rebuilt from SignalWire and adopts the files that are there"
    )]
    Corrupt { path: PathBuf, source: sqlx::Error },
    /// Written by a newer release.
    #[error(
        "the database '{0}' was written by a newer release of room-archiver; install that release, \
             or restore the backup made before the upgrade"
    )]
    Newer(PathBuf),
    /// Written by an older release, and it was to be read only.
    #[error(
        "the database '{0}' was written by an older release; start this release's service once to migrate it"
    )]
    Older(PathBuf),
    /// Anything else SQLite refuses.
    #[error("could not open the database '{path}'")]
    Sqlite { path: PathBuf, source: sqlx::Error },
    /// A migration failed; it was rolled back.
    #[error("could not bring the database '{path}' up to date")]
    Migrate { path: PathBuf, source: MigrateError },
}

impl Store {
    /// Opens the database at `path`; with [`Access::Write`] creates and migrates it as needed.
    ///
    /// # Errors
    /// [`OpenError`]; a database that is refused is left untouched.
    pub async fn open(path: &Path, access: Access) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        match std::fs::metadata(path) {
            // An empty file: made by `create`, then cut short before its first transaction.
            Ok(file) if file.len() > 0 => check_identity(path, access).await?,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            _ if access == Access::Read => return Err(OpenError::Missing(path.to_owned())),
            _ => create(path).map_err(io)?,
        }
        let sqlite = |source| classify(path, source);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY)
            .foreign_keys(true);
        let reader = SqlitePoolOptions::new()
            .max_connections(3)
            .acquire_timeout(ACQUIRE)
            .acquire_slow_threshold(ACQUIRE)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            // Each reader has a cache of its own: they fill with the database, and so does the process's memory.
            .connect_lazy_with(
                options
                    .clone()
                    .read_only(true)
                    .pragma("cache_size", "-4000"),
            );
        if access == Access::Read {
            return Ok(Self {
                writer: reader.clone(),
                reader,
                path: path.to_owned(),
                access,
                ends: Ends::default(),
                trouble: Trouble::default(),
                written: std::sync::Arc::default(),
                changed: std::sync::Arc::default(),
            });
        }
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE)
            .acquire_slow_threshold(ACQUIRE)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(
                options
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .pragma("cache_size", "-12000")
                    // Statements of many rows keep the pages they change, to be able to fail: not in a file.
                    .pragma("temp_store", "MEMORY")
                    .pragma(LOG[0].0, LOG[0].1)
                    .pragma(LOG[1].0, LOG[1].1),
            )
            .await
            .map_err(sqlite)?;
        migrator().run(&writer).await.map_err(|error| match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => {
                OpenError::Newer(path.to_owned())
            }
            source => OpenError::Migrate {
                path: path.to_owned(),
                source,
            },
        })?;
        Ok(Self {
            writer,
            reader,
            path: path.to_owned(),
            access,
            ends: Ends::default(),
            trouble: Trouble::default(),
            written: std::sync::Arc::default(),
            changed: std::sync::Arc::default(),
        })
    }
}

/// Creates the file before SQLite does, with the mode that its `-wal` and `-shm` files take over.
fn create(path: &Path) -> io::Result<()> {
    if let Some(directory) = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty())
    {
        std::fs::create_dir_all(directory)?;
    }
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(MODE)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(MODE))
}

/// Reads whose database it is and which migrations it has had, before anything may write to it.
///
/// Through SQLite and not with a plain read: closing any descriptor of a file drops every POSIX lock
/// this process holds on it (<https://www.sqlite.org/howtocorrupt.html>, 2.2).
async fn check_identity(path: &Path, access: Access) -> Result<(), OpenError> {
    let sqlite = |source| classify(path, source);
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY)
        .read_only(access == Access::Read);
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .map_err(sqlite)?;
    let id: i64 = sqlx::query_scalar(READ_APPLICATION_ID)
        .fetch_one(&mut connection)
        .await
        .map_err(sqlite)?;
    let tables: i64 = sqlx::query_scalar(COUNT_TABLES)
        .fetch_one(&mut connection)
        .await
        .map_err(sqlite)?;
    let migrated: bool = sqlx::query_scalar(IS_MIGRATED)
        .fetch_one(&mut connection)
        .await
        .map_err(sqlite)?;
    let applied: i64 = if migrated {
        sqlx::query_scalar(NEWEST_MIGRATION)
            .fetch_one(&mut connection)
            .await
            .map_err(sqlite)?
    } else {
        0
    };
    connection.close().await.map_err(sqlite)?;
    // A crash before the first migration leaves the id unset and our own bookkeeping table at most.
    let ours = id == APPLICATION_ID || (id == 0 && (tables == 0 || migrated));
    let newest = MIGRATIONS.last().map_or(0, |(version, ..)| *version);
    if !ours {
        Err(OpenError::Foreign(path.to_owned()))
    } else if applied > newest {
        Err(OpenError::Newer(path.to_owned()))
    } else if applied < newest && access == Access::Read {
        Err(OpenError::Older(path.to_owned()))
    } else {
        Ok(())
    }
}

pub(super) fn classify(path: &Path, source: sqlx::Error) -> OpenError {
    let path = path.to_owned();
    let code = source
        .as_database_error()
        .and_then(|error| error.code()?.parse::<u32>().ok())
        .map(|code| code & 0xff);
    match code {
        Some(11) => OpenError::Corrupt { path, source }, // SQLITE_CORRUPT
        Some(26) => OpenError::Foreign(path),            // SQLITE_NOTADB
        _ => OpenError::Sqlite { path, source },
    }
}

const MIGRATIONS: &[(i64, &str, &str)] = &[
    (
        1,
        "archive",
        include_str!("../../../migrations/0001_archive.sql"),
    ),
    (
        2,
        "views",
        include_str!("../../../migrations/0002_views.sql"),
    ),
    (
        3,
        "copies",
        include_str!("../../../migrations/0003_copies.sql"),
    ),
    (
        4,
        "webhooks",
        include_str!("../../../migrations/0004_webhooks.sql"),
    ),
    (
        5,
        "sidecars",
        include_str!("../../../migrations/0005_sidecars.sql"),
    ),
    (6, "web", include_str!("../../../migrations/0006_web.sql")),
    (
        7,
        "evictions",
        include_str!("../../../migrations/0007_evictions.sql"),
    ),
    (
        8,
        "sidecars_of_copies",
        include_str!("../../../migrations/0008_sidecars_of_copies.sql"),
    ),
];

/// The embedded migrations. Not sqlx's macro: it would compile SQLite a second time for the host.
fn migrator() -> Migrator {
    Migrator::with_migrations(
        MIGRATIONS
            .iter()
            .map(|&(version, name, sql)| {
                let sql = sql.into_sql_str();
                Migration::new(version, name.into(), MigrationType::Simple, sql, false)
            })
            .collect(),
    )
}
