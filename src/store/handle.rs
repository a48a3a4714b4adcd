//! The open database: one writer, and a few readers.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::sync::Notify;

use super::error::Result;
use super::trouble::Trouble;
use super::work::Ends;

/// Nothing is put off for longer. What is due later than that was put off by a clock that ran years ahead,
/// and is due now.
pub(super) const LONGEST_WAIT: TimeDelta = TimeDelta::days(9);

/// What a process wants to do with the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read and write; create and migrate where needed.
    Write,
    /// Read only, as any member of the archive's group may; never creates or migrates.
    Read,
}

/// The open database.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) writer: SqlitePool,
    pub(super) reader: SqlitePool,
    pub(super) path: PathBuf,
    pub(super) access: Access,
    pub(super) ends: Ends,
    pub(super) trouble: Trouble,
    /// Notified of each write of this process.
    pub(super) written: Arc<Notify>,
    /// The same for what follows from a write.
    pub(super) changed: Arc<Notify>,
}

impl Store {
    /// Since when the database fails, if it does.
    #[must_use]
    pub fn trouble(&self) -> &Trouble {
        &self.trouble
    }

    /// Begins a write: takes the database's write lock at once, so that it can't fail half-way.
    pub(super) async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        const BEGIN: &str = "BEGIN IMMEDIATE";
        self.written.notify_one();
        self.changed.notify_one();
        match self.writer.begin_with(BEGIN).await {
            // When the disk is full, SQLite rolls a transaction back by itself. sqlx does not notice, fails to roll it
            // back again and from then on takes the connection for one inside a transaction: it is of no more use.
            Err(sqlx::Error::InvalidSavePointStatement) => {
                self.writer.acquire().await?.close().await?;
                Ok(self.writer.begin_with(BEGIN).await?)
            }
            begun => Ok(begun?),
        }
    }

    /// Waits until this process writes to the database; for one listener.
    pub async fn written(&self) {
        self.written.notified().await;
    }

    /// The same, for another listener.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// When any process last wrote to the database, without asking SQLite: that takes two threads.
    #[must_use]
    pub fn written_at(&self) -> Option<DateTime<Utc>> {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        Some(std::fs::metadata(log).ok()?.modified().ok()?.into())
    }

    /// The pool for reads.
    pub(super) fn read(&self) -> &SqlitePool {
        &self.reader
    }
}

/// The connection inside a transaction, for `execute`.
pub(super) fn on<'a>(
    transaction: &'a mut Transaction<'static, Sqlite>,
) -> &'a mut SqliteConnection {
    &mut *transaction
}
