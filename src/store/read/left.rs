//! What is left to do: for the end of a single run, and for a dry one.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::Row as _;

use crate::model::{State, time};
use crate::store::rows::{bytes, statements, word};
use crate::store::{Result, Store, during};

statements! {
    DUE_NOW = "SELECT count(*), coalesce(sum(size_bytes), 0) FROM recording INDEXED BY recording_state
         WHERE state IN ('pending', 'damaged') AND (next_attempt_at IS NULL OR next_attempt_at <= ?)
         AND (state = 'pending' OR upstream_gone_at IS NULL)";
    LEFT = "SELECT r.id, s.room_name, r.state, r.started_at, r.duration_seconds, r.size_bytes, r.next_attempt_at, r.last_error
         FROM recording r LEFT JOIN session s ON s.id = r.session_id
         WHERE r.rowid IN (SELECT rowid FROM recording
            WHERE state IN ('pending', 'downloading', 'lost', 'damaged')
            ORDER BY started_at, rowid LIMIT ?)
         ORDER BY r.started_at, r.rowid";
}

/// What can be downloaded now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DueNow {
    /// How many recordings.
    pub recordings: u64,
    /// Their bytes, as SignalWire reports them.
    pub bytes: u64,
}

/// A recording that is not archived although it could be, or should have been.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Left {
    pub recording_id: String,
    pub room_name: Option<String>,
    pub state: State,
    pub started_at: Option<String>,
    pub duration_seconds: Option<f64>,
    /// Bytes, as SignalWire reports it.
    pub size_bytes: Option<u64>,
    /// Not tried again before.
    pub next_attempt_at: Option<String>,
    /// Why the last attempt ended.
    pub last_error: Option<String>,
}

impl Store {
    /// What can be downloaded now: what is pending, or damaged and there upstream, and does not wait for its time.
    pub async fn due_now(&self, now: DateTime<Utc>) -> Result<DueNow> {
        during("count what is due", async {
            let (recordings, bytes): (i64, i64) = sqlx::query_as(DUE_NOW)
                .bind(time::to_text(now))
                .fetch_one(self.read())
                .await?;
            Ok(DueNow {
                recordings: recordings.cast_unsigned(),
                bytes: bytes.cast_unsigned(),
            })
        })
        .await
    }

    /// Recordings that are pending, being downloaded, lost or damaged, in the order they started:
    /// the first `limit` of them.
    pub async fn left(&self, limit: u32) -> Result<Vec<Left>> {
        during("list what is left", async {
            sqlx::query(LEFT)
                .bind(limit)
                .fetch_all(self.read())
                .await?
                .iter()
                .map(|row| {
                    Ok(Left {
                        recording_id: row.try_get("id")?,
                        room_name: row.try_get("room_name")?,
                        state: word(row, "state")?,
                        started_at: row.try_get("started_at")?,
                        duration_seconds: row.try_get("duration_seconds")?,
                        size_bytes: bytes(row, "size_bytes")?,
                        next_attempt_at: row.try_get("next_attempt_at")?,
                        last_error: row.try_get("last_error")?,
                    })
                })
                .collect()
        })
        .await
    }
}
