//! The archive's memory: one SQLite database in WAL mode.
//!
//! One writer connection that never expires, and a small pool of readers. Every write is a short
//! transaction that begins IMMEDIATE; none is ever open across a request. Rows are private to this
//! module: what goes in and comes out are types of `model`.

mod detail;
mod downloads;
mod endings;
mod files;
mod left;
mod listing;
mod lost;
mod meta;
mod open;
mod parts;
mod passes;
mod recordings;
mod retry;
mod seen;
mod sessions;
mod storage;
mod upsert;
mod views;

use std::path::PathBuf;

use chrono::TimeDelta;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

pub use detail::{Attempt, Detail};
pub use downloads::{Claim, Order, Part};
pub use endings::{Ending, Landed, Tally};
pub use files::{Found, Verifiable};
pub use left::Left;
pub use listing::{Filter, Key, Row};
pub use open::{Access, OpenError, refuse_damaged};
pub use passes::{Pass, PassCounts, PassKind, PassOutcome};
pub use recordings::{Applied, Placement, Plan};
pub use retry::Retried;
pub use seen::{Seen, Unseen, UnseenRecording};
pub use sessions::{DueSession, Horizon, NEXT_PASS};
pub use views::{Counts, FailedAttempt, Failure, Gap, LastPass};

/// Nothing is put off for longer. What is due later than that was put off by a clock that ran years ahead,
/// and is due now.
const LONGEST_WAIT: TimeDelta = TimeDelta::days(9);

/// A failed read or write of the database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite's own error.
    #[error("the database failed")]
    Sqlite(#[from] sqlx::Error),
    /// A guarded change that should have touched exactly one row did not.
    #[error("recording {id} was not in the state expected ({expected})")]
    Guard {
        /// The recording.
        id: crate::model::RecordingId,
        /// The state it should have had.
        expected: &'static str,
    },
    /// A value that the schema's checks should have kept out.
    #[error("the database holds a {0} that cannot be read")]
    Content(&'static str),
    /// What was to be written was given up half-way, as when the process ends.
    #[error("a change to the database was given up")]
    Interrupted,
}

/// The result of a read or write of the database.
pub type Result<T> = std::result::Result<T, Error>;

/// The open database.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    reader: SqlitePool,
    path: PathBuf,
    access: Access,
    ends: endings::Ends,
}

impl Store {
    /// Begins a write: takes the database's write lock at once, so that it can't fail half-way.
    async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// The pool for reads.
    fn read(&self) -> &SqlitePool {
        &self.reader
    }
}

/// Fails unless a guarded statement touched exactly one row.
fn exactly_one(
    result: &sqlx::sqlite::SqliteQueryResult,
    id: crate::model::RecordingId,
    expected: &'static str,
) -> Result<()> {
    if result.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Error::Guard { id, expected })
    }
}

/// The connection inside a transaction, for `execute`.
fn on<'a>(transaction: &'a mut Transaction<'static, Sqlite>) -> &'a mut SqliteConnection {
    &mut *transaction
}
