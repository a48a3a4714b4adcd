//! What is left to do: for the end of a single run, and for a dry one.

use std::path::Path;

use sqlx::Row as _;

use super::{Result, Store};

/// A recording that is not archived although it could be, or should have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The recording.
    pub recording_id: String,
    /// Its room.
    pub room_name: Option<String>,
    /// Its state.
    pub state: String,
    /// When it started.
    pub started_at: Option<String>,
    /// Bytes, as the vendor tells.
    pub size_bytes: Option<u64>,
    /// Not tried again before.
    pub next_attempt_at: Option<String>,
    /// Why the last attempt ended.
    pub last_error: Option<String>,
}

impl Store {
    /// Recordings that are pending, being downloaded, lost or damaged, in the order they started:
    /// the first `limit` of them.
    ///
    /// # Errors
    /// [`super::Error`], if the database fails.
    pub async fn left(&self, limit: u32) -> Result<Vec<Left>> {
        sqlx::query(
            "SELECT r.id, s.room_name, r.state, r.started_at, r.size_bytes, r.next_attempt_at, r.last_error
             FROM recording r LEFT JOIN session s ON s.id = r.session_id
             WHERE r.rowid IN (SELECT rowid FROM recording
                WHERE state IN ('pending', 'downloading', 'lost', 'damaged')
                ORDER BY started_at, rowid LIMIT ?)
             ORDER BY r.started_at, r.rowid",
        )
        .bind(limit)
        .fetch_all(self.read())
        .await?
        .iter()
        .map(|row| {
            Ok(Left {
                recording_id: row.try_get("id")?,
                room_name: row.try_get("room_name")?,
                state: row.try_get("state")?,
                started_at: row.try_get("started_at")?,
                size_bytes: row.try_get::<Option<i64>, _>("size_bytes")?.map(i64::cast_unsigned),
                next_attempt_at: row.try_get("next_attempt_at")?,
                last_error: row.try_get("last_error")?,
            })
        })
        .collect()
    }

    /// Writes a copy of the whole database to a new file, while others use it.
    ///
    /// # Errors
    /// [`super::Error`], if the database fails.
    pub async fn copy_to(&self, path: &Path) -> Result<()> {
        sqlx::query("VACUUM INTO ?")
            .bind(path.to_string_lossy())
            .execute(self.read())
            .await?;
        Ok(())
    }

    /// SQLite's own check of the whole file: what it complains of, nothing if all is well.
    ///
    /// # Errors
    /// [`super::Error`], if the database fails.
    pub async fn check(&self) -> Result<Vec<String>> {
        let mut found: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(10)")
            .fetch_all(self.read())
            .await?;
        found.retain(|line| line != "ok");
        Ok(found)
    }
}
