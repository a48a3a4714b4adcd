//! The archive's memory: one SQLite database in WAL mode.
//!
//! One writer connection that never expires, and a small pool of readers. Every write is a short
//! transaction that begins IMMEDIATE; none is ever open across a request. Rows are private to this
//! module: what goes in and comes out are types of `model`.

mod detail;
mod downloads;
mod endings;
mod facts;
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
mod trouble;
mod upsert;
mod views;

use std::path::PathBuf;

use chrono::TimeDelta;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

pub use detail::{Attempt, Detail};
pub use downloads::{Claim, Doubt, Order, Part};
pub use endings::{Ending, Landed, Retry, Tally, WaitsFor};
pub use facts::{Facts, Passes, Pause, Unarchived, Unfinished};
pub use files::{Found, Verifiable};
pub use left::Left;
pub use listing::{Filter, Key, Row};
pub use meta::{PauseKind, PauseRow};
pub use open::{Access, OpenError, refuse_damaged};
pub use passes::{Pass, PassCounts, PassKind, PassOutcome};
pub use recordings::{Applied, Placement, Plan};
pub use retry::Retried;
pub use seen::{Seen, Unseen, UnseenRecording};
pub use sessions::{DueSession, Horizon, NEXT_PASS};
pub use trouble::Trouble;
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
    trouble: Trouble,
}

impl Error {
    /// Whether the database may work again without anybody's help: it is locked, its disk is full or fails. Not so
    /// when it is damaged, or when this program is wrong.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Interrupted => true,
            Self::Guard { .. } | Self::Content(_) => false,
            Self::Sqlite(error) => match error {
                sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) => true,
                error => error
                    .as_database_error()
                    .and_then(|error| error.code()?.parse::<u32>().ok())
                    .is_some_and(|code| PASSING.contains(&(code & 0xff))),
            },
        }
    }
}

/// SQLite's result codes (<https://www.sqlite.org/rescode.html>) that pass: PERM, BUSY, LOCKED, NOMEM, READONLY,
/// INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL.
const PASSING: [u32; 10] = [3, 5, 6, 7, 8, 9, 10, 13, 14, 15];

impl Store {
    /// Since when the database fails, if it does.
    #[must_use]
    pub fn trouble(&self) -> &Trouble {
        &self.trouble
    }

    /// Begins a write: takes the database's write lock at once, so that it can't fail half-way.
    async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        const BEGIN: &str = "BEGIN IMMEDIATE";
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
