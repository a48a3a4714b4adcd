//! Listings of recordings, a page at a time: a million rows must not be in memory at once.

use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::model::{SessionId, State, time};
use crate::store::rows::{json, statements, word};
use crate::store::{Result, Store, during};

statements! {
    READ_ROWS = "SELECT r.id, r.session_id, s.room_name, r.state, r.started_at, r.duration_seconds,
            coalesce(r.archived_bytes, r.size_bytes) AS size_bytes, iif(r.evicted_at IS NULL, r.path, NULL) AS path,
            r.last_error
         FROM json_each(?) k CROSS JOIN recording r ON r.rowid = k.value
         LEFT JOIN session s ON s.id = r.session_id ORDER BY k.id";
    ROOMS = "SELECT room_name FROM session WHERE room_name IS NOT NULL UNION SELECT ''";
}

/// Which recordings to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In one of these states; empty: in any.
    pub states: Vec<State>,
    /// In one of these rooms; an empty name stands for none.
    pub rooms: Option<Vec<String>>,
    /// Of this session.
    pub session: Option<SessionId>,
    /// Started at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Started at this time or earlier.
    pub until: Option<DateTime<Utc>>,
    /// Only so many: those that started last.
    pub newest: Option<u32>,
}

/// One line of a listing. Times as the views have them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Row {
    pub recording_id: String,
    pub session_id: Option<String>,
    pub room_name: Option<String>,
    pub state: State,
    pub started_at: Option<String>,
    pub duration_seconds: Option<f64>,
    /// Bytes: of the file if archived, else as SignalWire reports it.
    pub size_bytes: Option<i64>,
    /// The file, relative to the archive.
    pub path: Option<String>,
    /// Why it is not archived.
    pub last_error: Option<String>,
}

/// A recording's place in a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Key(i64);

impl Store {
    /// The recordings of a listing, in the order of their start and id. Only their keys: the rows of a
    /// million are read a page at a time, and no read transaction stays open for who pages through them.
    pub async fn list(&self, filter: &Filter) -> Result<Vec<Key>> {
        during("list recordings", async {
            // All states by name rather than none: the index begins with the state.
            let states = match filter.states.as_slice() {
                [] => State::ALL.as_slice(),
                states => states,
            };
            let states: Vec<_> = states.iter().map(|state| state.as_str()).collect();
            let from = match &filter.rooms {
                // The sessions of few rooms lead to their recordings.
                Some(rooms) if rooms.iter().all(|room| !room.is_empty()) => {
                    "session s CROSS JOIN recording r ON r.session_id = s.id
                 WHERE s.room_name IN (SELECT value FROM json_each(?1))"
                }
                Some(_) => {
                    "recording r LEFT JOIN session s ON s.id = r.session_id
                 WHERE coalesce(s.room_name, '') IN (SELECT value FROM json_each(?1))"
                }
                None => "recording r WHERE ?1 IS NULL",
            };
            let since = match filter.since {
                Some(_) => "r.started_at >= ?2",
                None => "?2 IS NULL",
            };
            let until = match filter.until {
                Some(_) => "r.started_at <= ?4",
                None => "?4 IS NULL",
            };
            let session = match filter.session {
                Some(_) => "r.session_id = ?5",
                None => "?5 IS NULL",
            };
            let order = match filter.newest {
                Some(_) => "r.started_at DESC, r.id DESC",
                None => "r.started_at, r.id",
            };
            let query = format!(
                "SELECT r.rowid FROM {from} AND {since} AND r.state IN (SELECT value FROM json_each(?3))
                 AND {until} AND {session} ORDER BY {order} LIMIT ?6"
            );
            let mut keys: Vec<Key> = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
                .bind(filter.rooms.as_deref().map(json).transpose()?)
                .bind(filter.since.map(time::to_text))
                .bind(json(&states)?)
                .bind(filter.until.map(time::to_text))
                .bind(filter.session.map(|id| id.to_string()))
                // A negative limit is none.
                .bind(filter.newest.map_or(-1, i64::from))
                .fetch(self.read())
                .map_ok(Key)
                .try_collect()
                .await?;
            if filter.newest.is_some() {
                keys.reverse();
            }
            Ok(keys)
        })
        .await
    }

    /// The rows of some recordings of a listing, in the same order.
    pub async fn rows(&self, keys: &[Key]) -> Result<Vec<Row>> {
        during("read recordings", async {
            sqlx::query(READ_ROWS)
                .bind(json(keys)?)
                .fetch_all(self.read())
                .await?
                .iter()
                .map(row)
                .collect()
        })
        .await
    }

    /// The names of all rooms, and an empty one for sessions without.
    pub async fn rooms(&self) -> Result<Vec<String>> {
        during("list rooms", async {
            Ok(sqlx::query_scalar(ROOMS).fetch_all(self.read()).await?)
        })
        .await
    }
}

fn row(row: &SqliteRow) -> Result<Row> {
    Ok(Row {
        recording_id: row.try_get("id")?,
        session_id: row.try_get("session_id")?,
        room_name: row.try_get("room_name")?,
        state: word(row, "state")?,
        started_at: row.try_get("started_at")?,
        duration_seconds: row.try_get("duration_seconds")?,
        size_bytes: row.try_get("size_bytes")?,
        path: row.try_get("path")?,
        last_error: row.try_get("last_error")?,
    })
}
