//! What can fail: an operation of SQLite, a guard, a value that should not be there.

use crate::model::{RecordingId, UnknownWord};

/// A failed read or write of the database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite's own error.
    #[error("could not {operation} in the database")]
    Sqlite {
        /// What was to be done.
        operation: &'static str,
        /// Why it could not.
        source: sqlx::Error,
    },
    /// A guarded change that should have touched exactly one row did not.
    #[error("recording {id} was not in the state expected ({expected})")]
    Guard {
        /// The recording.
        id: RecordingId,
        /// The state it should have had.
        expected: &'static str,
    },
    /// A value that the schema's checks should have kept out.
    #[error("the database holds a {0} that cannot be read")]
    Content(&'static str),
    /// A word that the schema's checks should have kept out.
    #[error("the database holds a word that is {0}")]
    Word(#[from] UnknownWord),
    /// What was to be written was given up half-way, as when the process ends.
    #[error("a change to the database was given up")]
    Interrupted,
}

/// The result of a read or write of the database.
pub type Result<T> = std::result::Result<T, Error>;

impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        let operation = "read or write";
        Self::Sqlite { operation, source }
    }
}

impl Error {
    /// Whether the database may work again without anybody's help: it is locked, its disk is full or fails. Not so
    /// when it is damaged, or when this program is wrong.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Interrupted => true,
            Self::Guard { .. } | Self::Content(_) | Self::Word(_) => false,
            Self::Sqlite { source, .. } => match source {
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

/// Names the operation in SQLite's errors.
pub(super) async fn during<T>(
    operation: &'static str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    work.await.map_err(|error| match error {
        Error::Sqlite { source, .. } => Error::Sqlite { operation, source },
        error => error,
    })
}

/// Fails unless a guarded statement touched exactly one row.
pub(super) fn exactly_one(
    result: &sqlx::sqlite::SqliteQueryResult,
    id: RecordingId,
    expected: &'static str,
) -> Result<()> {
    if result.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Error::Guard { id, expected })
    }
}
