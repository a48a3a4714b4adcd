//! Everything the database knows of one recording, for a person who looks into it.

use serde::Serialize;
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};

use crate::model::RecordingId;
use crate::store::AttemptOutcome;
use crate::store::rows::{statements, word};
use crate::store::{Result, Store, during};

statements! {
    READ_RECORDING = "SELECT id AS recording_id, state, skip_reason, damage, concerns, last_error,
            path, evicted_at, archived_bytes, sha256, archived_at, verified_at,
            upstream_status, started_at, finished_at, duration_seconds,
            size_bytes, format, cost_in_dollars,
            updated_at, first_seen_at, completed_seen_at, pending_since, upstream_changed_at, upstream_gone_at,
            attempts, nullif(retries, 0) AS retries_in_a_row,
            next_attempt_at, waits_for, media_host, doubted_sha256,
            nullif(part_bytes, 0) AS part_bytes, part_total AS part_total_bytes
         FROM recording WHERE id = ?";
    READ_SESSION = "SELECT s.id AS session_id, s.room_name, s.status, s.start_time, s.end_time, s.first_seen_at,
            s.listed_at, s.next_list_at, s.settled_at, s.upstream_gone_at
         FROM session s JOIN recording r ON r.session_id = s.id WHERE r.id = ?";
    READ_UPSTREAM = "SELECT upstream FROM recording WHERE id = ?";
    READ_ATTEMPTS = "SELECT * FROM attempts WHERE recording_id = ? ORDER BY attempt";
    READ_EVENTS = "SELECT at, kind, text FROM event WHERE recording_id = ? ORDER BY id";
    READ_CONCERNS = "SELECT concern, detail, noted_at FROM concerns WHERE recording_id = ? ORDER BY concern";
}

/// Everything that is known of one recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Detail {
    /// The recording: columns and their values, named as in the views; absent values are null.
    pub recording: Vec<(String, Value)>,
    /// Its session, in the same way; empty if it has none.
    pub session: Vec<(String, Value)>,
    /// SignalWire's object.
    pub upstream: Value,
    /// Every attempt.
    pub attempts: Vec<Attempt>,
    /// What is odd about its file: kind, detail, when it was noted.
    pub concerns: Vec<(String, String, String)>,
    /// Every event about it: time, kind, text.
    pub events: Vec<(String, String, String)>,
}

/// One row of the view `attempts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Attempt {
    pub attempt: i64,
    pub started_at: String,
    /// When it ended; absent while it runs.
    pub ended_at: Option<String>,
    /// The byte it went on from.
    pub from_byte: i64,
    /// Bytes received.
    pub bytes: i64,
    /// The media server's last status.
    pub http_status: Option<i64>,
    /// How it ended.
    pub outcome: AttemptOutcome,
    pub error: Option<String>,
}

impl Store {
    /// Everything about one recording; `None`: it is unknown.
    pub async fn detail(&self, id: RecordingId) -> Result<Option<Detail>> {
        during("read a recording", async {
            let id = id.to_string();
            let recording = sqlx::query(READ_RECORDING)
                .bind(&id)
                .fetch_optional(self.read())
                .await?;
            let Some(recording) = recording else {
                return Ok(None);
            };
            let session = sqlx::query(READ_SESSION)
                .bind(&id)
                .fetch_optional(self.read())
                .await?;
            let upstream: String = sqlx::query_scalar(READ_UPSTREAM)
                .bind(&id)
                .fetch_one(self.read())
                .await?;
            let attempts = sqlx::query(READ_ATTEMPTS)
                .bind(&id)
                .fetch_all(self.read())
                .await?
                .iter()
                .map(attempt)
                .collect::<Result<_>>()?;
            let events = sqlx::query_as(READ_EVENTS)
                .bind(&id)
                .fetch_all(self.read())
                .await?;
            let concerns = sqlx::query_as(READ_CONCERNS)
                .bind(&id)
                .fetch_all(self.read())
                .await?;
            Ok(Some(Detail {
                recording: fields(&recording)?,
                session: session
                    .as_ref()
                    .map(fields)
                    .transpose()?
                    .unwrap_or_default(),
                upstream: serde_json::from_str(&upstream).unwrap_or_default(),
                attempts,
                concerns,
                events,
            }))
        })
        .await
    }
}

/// The columns of a row, each with its value.
fn fields(row: &SqliteRow) -> Result<Vec<(String, Value)>> {
    let fields = row.columns().iter().map(|column| {
        let at = column.ordinal();
        let raw = row.try_get_raw(at)?;
        let value = match raw.type_info().name() {
            _ if raw.is_null() => Value::Null,
            "INTEGER" => row.try_get::<i64, _>(at)?.into(),
            "REAL" => row.try_get::<f64, _>(at)?.into(),
            _ => row.try_get::<String, _>(at)?.into(),
        };
        Ok((column.name().to_owned(), value))
    });
    fields.collect()
}

fn attempt(row: &SqliteRow) -> Result<Attempt> {
    Ok(Attempt {
        attempt: row.try_get("attempt")?,
        started_at: row.try_get("started_at")?,
        ended_at: row.try_get("ended_at")?,
        from_byte: row.try_get("from_byte")?,
        bytes: row.try_get("bytes")?,
        http_status: row.try_get("http_status")?,
        outcome: word(row, "outcome")?,
        error: row.try_get("error")?,
    })
}
