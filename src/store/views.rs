//! Reads for the command line, metrics and health, through the public views where they serve.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Result, Store};
use crate::model::{RecordingId, State, time};

/// How many recordings there are of each kind that matters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Recordings by state, every state present.
    pub by_state: Vec<(String, u64)>,
    /// Bytes of the archived files.
    pub archived_bytes: u64,
    /// Rows of `failures`.
    pub failures: u64,
    /// Of those, recordings stuck upstream: not completed, or completed without a link, for too long.
    pub stuck: u64,
    /// Rows of `gaps`.
    pub gaps: u64,
    /// Completed upstream and still there, wanted, and not archived.
    pub missing: u64,
}

impl Counts {
    /// The number of recordings in a state.
    #[must_use]
    pub fn of(&self, state: State) -> u64 {
        self.by_state
            .iter()
            .find(|(name, _)| name == state.as_str())
            .map_or(0, |(_, count)| *count)
    }
}

/// Which recordings to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Rooms with exactly this name.
    pub room: Option<String>,
    /// In this state.
    pub state: Option<State>,
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

/// Everything that is known of one recording.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Detail {
    /// Names and values of all columns, in a readable order; absent values left out.
    pub fields: Vec<(String, String)>,
    /// The vendor's object.
    pub upstream: serde_json::Value,
    /// Every attempt.
    pub attempts: Vec<Attempt>,
    /// Every event about it: time, kind, text.
    pub events: Vec<(String, String, String)>,
}

/// One row of the view `attempts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Its number.
    pub attempt: i64,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// The byte it went on from.
    pub from_byte: i64,
    /// Bytes received.
    pub bytes: i64,
    /// The media server's last status.
    pub http_status: Option<i64>,
    /// How it ended.
    pub outcome: String,
    /// What ended it.
    pub error: Option<String>,
}

/// The latest pass of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastPass {
    /// poll, sweep or verify.
    pub kind: String,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// How it ended.
    pub outcome: String,
    /// What kept it from being complete.
    pub error: Option<String>,
}

impl Store {
    /// Counts of everything that matters.
    ///
    /// # Errors
    /// [`super::Error`], if the database fails.
    pub async fn counts(&self) -> Result<Counts> {
        let mut counts = Counts {
            by_state: State::ALL.map(|state| (state.to_string(), 0)).into(),
            ..Counts::default()
        };
        let states: Vec<(String, i64, i64)> = sqlx::query_as(
            "SELECT state, count(*), coalesce(sum(archived_bytes), 0) FROM recording GROUP BY state",
        )
        .fetch_all(self.read())
        .await?;
        for (state, count, bytes) in states {
            if state == "archived" {
                counts.archived_bytes = bytes.cast_unsigned();
            }
            for (name, total) in &mut counts.by_state {
                if *name == state {
                    *total = count.cast_unsigned();
                }
            }
        }
        let (failures, stuck, gaps, missing): (i64, i64, i64, i64) = sqlx::query_as(
            "SELECT count(*), count(*) FILTER (WHERE state IN ('waiting', 'pending')),
                (SELECT count(*) FROM gaps),
                (SELECT count(*) FROM recording WHERE state IN ('pending', 'downloading', 'failed', 'damaged')
                    AND upstream_status = 'completed' AND upstream_gone_at IS NULL)
             FROM failures",
        )
        .fetch_one(self.read())
        .await?;
        counts.failures = failures.cast_unsigned();
        counts.stuck = stuck.cast_unsigned();
        counts.gaps = gaps.cast_unsigned();
        counts.missing = missing.cast_unsigned();
        Ok(counts)
    }

    /// Recordings in the order they started, one batch of at most `limit` after the `after`-th.
    ///
    /// # Errors
    /// [`super::Error`], if the database fails.
    pub async fn list(&self, filter: &Filter, after: u32, limit: u32) -> Result<Vec<Row>> {
        sqlx::query(
            "SELECT r.id, r.session_id, s.room_name, r.state, r.started_at, r.duration_seconds,
                coalesce(r.archived_bytes, r.size_bytes) AS size_bytes, r.path, r.last_error
             FROM recording r LEFT JOIN session s ON s.id = r.session_id
             WHERE (?1 IS NULL OR s.room_name = ?1) AND (?2 IS NULL OR r.state = ?2)
               AND (?3 IS NULL OR r.started_at >= ?3)
             ORDER BY r.started_at, r.id LIMIT ?4 OFFSET ?5",
        )
        .bind(&filter.room)
        .bind(filter.state.map(State::as_str))
        .bind(filter.since.map(time::to_text))
        .bind(limit)
        .bind(after)
        .fetch_all(self.read())
        .await?
        .iter()
        .map(|row| {
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
        })
        .collect()
    }

    /// Everything about one recording.
    ///
    /// # Errors
    /// [`super::Error`], if the database fails.
    pub async fn detail(&self, id: RecordingId) -> Result<Option<Detail>> {
        const TEXTS: [&str; 19] = [
            "recording_id",
            "session_id",
            "room_name",
            "state",
            "skip_reason",
            "damage",
            "upstream_status",
            "started_at",
            "finished_at",
            "first_seen_at",
            "completed_seen_at",
            "upstream_changed_at",
            "upstream_gone_at",
            "next_attempt_at",
            "last_error",
            "path",
            "sha256",
            "archived_at",
            "verified_at",
        ];
        let id = id.to_string();
        let row = sqlx::query(
            "SELECT r.id AS recording_id, s.room_name, r.* FROM recording r
             LEFT JOIN session s ON s.id = r.session_id WHERE r.id = ?",
        )
        .bind(&id)
        .fetch_optional(self.read())
        .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let mut fields = Vec::new();
        for name in TEXTS {
            if let Some(value) = row.try_get::<Option<String>, _>(name)? {
                fields.push((name.to_owned(), value));
            }
        }
        for name in ["size_bytes", "archived_bytes", "attempts", "part_bytes"] {
            if let Some(value) = row.try_get::<Option<i64>, _>(name)? {
                fields.push((name.to_owned(), value.to_string()));
            }
        }
        let upstream: String = row.try_get("upstream")?;
        let attempts =
            sqlx::query("SELECT * FROM attempts WHERE recording_id = ? ORDER BY attempt")
                .bind(&id)
                .fetch_all(self.read())
                .await?
                .iter()
                .map(attempt)
                .collect::<Result<_>>()?;
        let events =
            sqlx::query_as("SELECT at, kind, text FROM event WHERE recording_id = ? ORDER BY id")
                .bind(&id)
                .fetch_all(self.read())
                .await?;
        Ok(Some(Detail {
            fields,
            upstream: serde_json::from_str(&upstream).unwrap_or_default(),
            attempts,
            events,
        }))
    }

    /// The latest pass of every kind.
    ///
    /// # Errors
    /// [`super::Error`], if the database fails.
    pub async fn last_passes(&self) -> Result<Vec<LastPass>> {
        sqlx::query(
            "SELECT kind, started_at, ended_at, outcome, error FROM pass
             WHERE id IN (SELECT max(id) FROM pass GROUP BY kind) ORDER BY kind",
        )
        .fetch_all(self.read())
        .await?
        .iter()
        .map(|row| {
            Ok(LastPass {
                kind: row.try_get("kind")?,
                started_at: row.try_get("started_at")?,
                ended_at: row.try_get("ended_at")?,
                outcome: row.try_get("outcome")?,
                error: row.try_get("error")?,
            })
        })
        .collect()
    }

    /// Rows of `failures`, the longest known first: recording, room, reason.
    ///
    /// # Errors
    /// [`super::Error`], if the database fails.
    pub async fn failures(&self, limit: u32) -> Result<Vec<(String, Option<String>, String)>> {
        Ok(sqlx::query_as(
            "SELECT recording_id, room_name, reason FROM failures ORDER BY first_seen_at LIMIT ?",
        )
        .bind(limit)
        .fetch_all(self.read())
        .await?)
    }
}

fn attempt(row: &SqliteRow) -> Result<Attempt> {
    Ok(Attempt {
        attempt: row.try_get("attempt")?,
        started_at: row.try_get("started_at")?,
        ended_at: row.try_get("ended_at")?,
        from_byte: row.try_get("from_byte")?,
        bytes: row.try_get("bytes")?,
        http_status: row.try_get("http_status")?,
        outcome: row.try_get("outcome")?,
        error: row.try_get("error")?,
    })
}
