//! How values get into statements and out of rows.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::error::{Error, Result};
use crate::model::{RecordingId, UnknownWord, time};

/// Names SQL statements, and lists them for the test that asks SQLite how it runs them.
macro_rules! statements {
    ($($(#[$about:meta])* $name:ident = $sql:literal;)+) => {
        $($(#[$about])* const $name: &str = $sql;)+

        #[cfg(test)]
        pub(in crate::store) const STATEMENTS: &[&str] = &[$($name),+];
    };
}
pub(in crate::store) use statements;

/// JSON of rows for `json_each`.
pub(in crate::store) fn json<T: Serialize>(rows: &[T]) -> Result<String> {
    serde_json::to_string(rows).map_err(|_| Error::Content("row"))
}

pub(in crate::store) fn recording_id(text: &str) -> Result<RecordingId> {
    text.parse().map_err(|_| Error::Content("recording id"))
}

/// A column that holds a time.
pub(in crate::store) fn at(row: &SqliteRow, column: &str) -> Result<Option<DateTime<Utc>>> {
    let text: Option<&str> = row.try_get(column)?;
    Ok(text.and_then(time::parse))
}

/// How JSON has a time that may be absent.
#[expect(clippy::ref_option, reason = "serde's signature")]
pub(in crate::store) fn optional_time<S: serde::Serializer>(
    at: &Option<DateTime<Utc>>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    at.map(time::to_text).serialize(serializer)
}

/// A column that holds a number of bytes.
pub(in crate::store) fn bytes(row: &SqliteRow, column: &str) -> Result<Option<u64>> {
    let number: Option<i64> = row.try_get(column)?;
    Ok(number.map(i64::cast_unsigned))
}

/// A column that holds one of an enum's words.
pub(in crate::store) fn word<T: FromStr<Err = UnknownWord>>(
    row: &SqliteRow,
    column: &str,
) -> Result<T> {
    Ok(row.try_get::<&str, _>(column)?.parse()?)
}

/// The row ids that `group_concat` made one text of: each row of a result wakes the task that waits for it, a
/// million times.
///
/// # Errors
/// [`Error::Content`], if it is another text.
pub(in crate::store) fn row_ids(text: Option<String>) -> Result<Vec<i64>> {
    let text = text.unwrap_or_default();
    let rows = text.split(',').filter(|row| !row.is_empty());
    rows.map(|row| row.parse().map_err(|_| Error::Content("row id")))
        .collect()
}
