//! Everything about one recording.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqlitePool};

/// Attempts, concerns and events shown, the newest of each.
const SHOWN: i64 = 10;

/// Where the file of a recording is.
#[derive(Debug, Clone)]
pub(in crate::web) struct ArchivedFile {
    /// Relative to the archive; `None`: only copies are left.
    pub(in crate::web) path: Option<String>,
    pub(in crate::web) size_bytes: Option<u64>,
    pub(in crate::web) sha256: String,
    pub(in crate::web) archived_at: String,
    pub(in crate::web) verified_at: Option<String>,
}

/// A download attempt.
#[derive(Debug, Clone)]
pub(in crate::web) struct Attempt {
    pub(in crate::web) number: i64,
    pub(in crate::web) started_at: String,
    pub(in crate::web) ended_at: Option<String>,
    pub(in crate::web) bytes: i64,
    pub(in crate::web) outcome: String,
    pub(in crate::web) error: Option<String>,
}

/// A concern or an event.
#[derive(Debug, Clone)]
pub(in crate::web) struct Note {
    pub(in crate::web) kind: String,
    pub(in crate::web) text: String,
    pub(in crate::web) at: String,
}

/// A copy in an object storage.
#[derive(Debug, Clone)]
pub(in crate::web) struct Copy {
    pub(in crate::web) target: String,
    pub(in crate::web) state: String,
    pub(in crate::web) key: Option<String>,
    pub(in crate::web) copied_at: Option<String>,
    pub(in crate::web) verified_at: Option<String>,
    pub(in crate::web) error: Option<String>,
}

/// A recording with all that belongs to it.
#[derive(Debug)]
pub(in crate::web) struct Detail {
    /// The columns of `recordings` that are not null, in order.
    pub(in crate::web) columns: Vec<(&'static str, String)>,
    pub(in crate::web) file: Option<ArchivedFile>,
    pub(in crate::web) attempts: Vec<Attempt>,
    pub(in crate::web) concerns: Vec<Note>,
    pub(in crate::web) events: Vec<Note>,
    pub(in crate::web) copies: Vec<Copy>,
}

const RECORDING: &str = "SELECT * FROM recordings WHERE recording_id = ?1";
const COLUMNS: [&str; 16] = [
    "room_name",
    "session_id",
    "state",
    "upstream_status",
    "started_at",
    "finished_at",
    "duration_seconds",
    "size_bytes",
    "format",
    "skip_reason",
    "damage",
    "attempts",
    "next_attempt_at",
    "last_error",
    "first_seen_at",
    "upstream_gone_at",
];
const FILE: &str = "SELECT path, size_bytes, sha256, archived_at, verified_at FROM archive WHERE recording_id = ?1";
const ATTEMPTS: &str = "SELECT attempt, started_at, ended_at, bytes, outcome, error FROM attempts
    WHERE recording_id = ?1 ORDER BY attempt DESC LIMIT ?2";
const CONCERNS: &str = "SELECT concern, detail, noted_at FROM concerns WHERE recording_id = ?1 ORDER BY concern LIMIT ?2";
const EVENTS: &str =
    "SELECT kind, text, at FROM events WHERE recording_id = ?1 ORDER BY id DESC LIMIT ?2";

const COPIES: &str = "SELECT target, state, key, copied_at, verified_at, error FROM copies
    WHERE recording_id = ?1 ORDER BY target LIMIT ?2";

impl ArchivedFile {
    /// The file of an archived recording.
    pub(in crate::web) async fn read(pool: &SqlitePool, id: &str) -> sqlx::Result<Option<Self>> {
        let row = sqlx::query(FILE).bind(id).fetch_optional(pool).await?;
        row.map(|row| {
            Ok(Self {
                path: row.try_get("path")?,
                size_bytes: row
                    .try_get::<Option<i64>, _>("size_bytes")?
                    .map(i64::cast_unsigned),
                sha256: row.try_get("sha256")?,
                archived_at: row.try_get("archived_at")?,
                verified_at: row.try_get("verified_at")?,
            })
        })
        .transpose()
    }
}

impl Detail {
    pub(in crate::web) async fn read(pool: &SqlitePool, id: &str) -> sqlx::Result<Option<Self>> {
        let Some(row) = sqlx::query(RECORDING).bind(id).fetch_optional(pool).await? else {
            return Ok(None);
        };
        let mut columns = Vec::new();
        for name in COLUMNS {
            if let Some(value) = value(&row, name)? {
                columns.push((name, value));
            }
        }
        let attempts = sqlx::query(ATTEMPTS)
            .bind(id)
            .bind(SHOWN)
            .fetch_all(pool)
            .await?;
        Ok(Some(Self {
            columns,
            file: ArchivedFile::read(pool, id).await?,
            attempts: attempts.iter().map(attempt).collect::<sqlx::Result<_>>()?,
            concerns: notes(pool, CONCERNS, id).await?,
            events: notes(pool, EVENTS, id).await?,
            copies: copies(pool, id).await?,
        }))
    }

    /// A column's text, empty without one.
    pub(in crate::web) fn column(&self, name: &str) -> Option<&str> {
        let found = self.columns.iter().find(|(column, _)| *column == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A column of any type as text.
fn value(row: &SqliteRow, name: &str) -> sqlx::Result<Option<String>> {
    Ok(match name {
        "size_bytes" | "attempts" => row
            .try_get::<Option<i64>, _>(name)?
            .map(|number| number.to_string()),
        "duration_seconds" => row
            .try_get::<Option<f64>, _>(name)?
            .map(|number| number.to_string()),
        _ => row.try_get(name)?,
    })
}

fn attempt(row: &SqliteRow) -> sqlx::Result<Attempt> {
    Ok(Attempt {
        number: row.try_get("attempt")?,
        started_at: row.try_get("started_at")?,
        ended_at: row.try_get("ended_at")?,
        bytes: row.try_get("bytes")?,
        outcome: row.try_get("outcome")?,
        error: row.try_get("error")?,
    })
}

async fn copies(pool: &SqlitePool, id: &str) -> sqlx::Result<Vec<Copy>> {
    let found = sqlx::query(COPIES)
        .bind(id)
        .bind(SHOWN)
        .fetch_all(pool)
        .await?;
    let copy = |row: &SqliteRow| {
        Ok(Copy {
            target: row.try_get("target")?,
            state: row.try_get("state")?,
            key: row.try_get("key")?,
            copied_at: row.try_get("copied_at")?,
            verified_at: row.try_get("verified_at")?,
            error: row.try_get("error")?,
        })
    };
    found.iter().map(copy).collect()
}

async fn notes(pool: &SqlitePool, sql: &'static str, id: &str) -> sqlx::Result<Vec<Note>> {
    let found: Vec<(String, String, String)> = sqlx::query_as(sql)
        .bind(id)
        .bind(SHOWN)
        .fetch_all(pool)
        .await?;
    let note = |(kind, text, at)| Note { kind, text, at };
    Ok(found.into_iter().map(note).collect())
}
