//! Listings of recordings, a page at a time: a million rows must not be in memory at once.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::sessions::json;
use super::{Result, Store};
use crate::model::{State, time};

/// Which recordings to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In one of these states; empty: in any.
    pub states: Vec<State>,
    /// Started at this time or later.
    pub since: Option<DateTime<Utc>>,
}

/// One line of a listing. Times as the views have them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The recording.
    pub recording_id: String,
    /// Its session.
    pub session_id: Option<String>,
    /// Its room.
    pub room_name: Option<String>,
    /// Its state.
    pub state: String,
    /// When it started.
    pub started_at: Option<String>,
    /// Its length in seconds.
    pub duration_seconds: Option<f64>,
    /// Bytes: of the file if archived, else as the vendor tells it.
    pub size_bytes: Option<i64>,
    /// The file, relative to the archive.
    pub path: Option<String>,
    /// Why it is not archived.
    pub last_error: Option<String>,
}

/// A page of those without a start; they come first.
const UNDATED: &str = "r.started_at IS NULL AND r.id > ?2";
/// A page of the others.
const DATED: &str = "(r.started_at, r.id) > (?1, ?2)";

impl Store {
    /// Up to `limit` recordings in the order of their start and id, those after `after`. Each page goes
    /// on where the last ended, so a whole listing reads the index once.
    ///
    /// # Errors
    /// [`super::Error`], if the database fails.
    pub async fn list(&self, filter: &Filter, after: Option<&Row>, limit: u32) -> Result<Vec<Row>> {
        let states = if filter.states.is_empty() {
            None
        } else {
            Some(json(
                &filter
                    .states
                    .iter()
                    .map(|state| state.as_str())
                    .collect::<Vec<_>>(),
            )?)
        };
        let started = match after {
            Some(row) => row.started_at.clone(),
            None => filter.since.map(time::to_text),
        }
        .unwrap_or_default();
        let id = after.map_or("", |row| &row.recording_id);
        let mut rows = Vec::new();
        if started.is_empty() {
            rows = self.page(UNDATED, "", id, states.as_deref(), limit).await?;
        }
        let room = limit.saturating_sub(u32::try_from(rows.len()).unwrap_or(limit));
        if room > 0 {
            let id = if started.is_empty() { "" } else { id };
            rows.extend(
                self.page(DATED, &started, id, states.as_deref(), room)
                    .await?,
            );
        }
        Ok(rows)
    }

    async fn page(
        &self,
        after: &'static str,
        started: &str,
        id: &str,
        states: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Row>> {
        let query = format!(
            "SELECT r.id, r.session_id, s.room_name, r.state, r.started_at, r.duration_seconds,
                coalesce(r.archived_bytes, r.size_bytes) AS size_bytes, r.path, r.last_error
             FROM recording r LEFT JOIN session s ON s.id = r.session_id
             WHERE {after} AND (?3 IS NULL OR r.state IN (SELECT value FROM json_each(?3)))
             ORDER BY r.started_at, r.id LIMIT ?4"
        );
        sqlx::query(sqlx::AssertSqlSafe(query))
            .bind(started)
            .bind(id)
            .bind(states)
            .bind(limit)
            .fetch_all(self.read())
            .await?
            .iter()
            .map(row)
            .collect()
    }
}

fn row(row: &SqliteRow) -> Result<Row> {
    Ok(Row {
        recording_id: row.try_get("id")?,
        session_id: row.try_get("session_id")?,
        room_name: row.try_get("room_name")?,
        state: row.try_get("state")?,
        started_at: row.try_get("started_at")?,
        duration_seconds: row.try_get("duration_seconds")?,
        size_bytes: row.try_get("size_bytes")?,
        path: row.try_get("path")?,
        last_error: row.try_get("last_error")?,
    })
}
