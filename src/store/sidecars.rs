//! Sidecars: which are to be written, what they say, and what was written.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite, Transaction};

use crate::model::{RecordingId, SessionId};
use crate::store::rows::{at, bytes, recording_id, statements};
use crate::store::{Error, Result, Store, TargetId, during, on};

statements! {
    WATCH_RECORDINGS = "CREATE TRIGGER sidecar_recording
         AFTER UPDATE OF state, path, sha256, session_id, upstream ON recording
         WHEN new.state = 'archived' AND (old.state <> 'archived' OR old.path IS NOT new.path
            OR old.sha256 IS NOT new.sha256 OR old.session_id IS NOT new.session_id OR old.upstream IS NOT new.upstream)
         BEGIN
            UPDATE sidecar SET due = due + 1 WHERE recording = new.row;
         END";
    WATCH_FILES = "CREATE TRIGGER sidecar_file AFTER UPDATE OF state, evicted_at ON recording
         WHEN new.state = 'archived' AND new.evicted_at IS NULL
            AND (old.state <> 'archived' OR old.evicted_at IS NOT NULL)
         BEGIN
            INSERT INTO sidecar (recording, place) VALUES (new.row, '')
            ON CONFLICT DO UPDATE SET due = due + 1;
         END";
    WATCH_SESSIONS = "CREATE TRIGGER sidecar_session AFTER UPDATE OF upstream ON session
         WHEN old.upstream IS NOT new.upstream
         BEGIN
            UPDATE sidecar SET due = due + 1
            WHERE recording IN (SELECT row FROM recording WHERE session_id = new.id);
         END";
    WATCHED = "SELECT (SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name = 'sidecar_file') = 1,
            (SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name = 'sidecar_recording') = 1";
    UNWATCH_FILES = "DROP TRIGGER IF EXISTS sidecar_file";
    OBJECTS_DUE = "UPDATE sidecar SET due = due + 1 WHERE place <> '' AND bytes IS NOT NULL";
    UNWATCH_RECORDINGS = "DROP TRIGGER IF EXISTS sidecar_recording";
    UNWATCH_SESSIONS = "DROP TRIGGER IF EXISTS sidecar_session";
    NONE_KEPT = "UPDATE sidecar SET due = due + 1 WHERE place = ''";
    ALL_DUE = "INSERT INTO sidecar (recording, place) SELECT row, '' FROM recording
         WHERE state = 'archived' AND evicted_at IS NULL ON CONFLICT DO UPDATE SET due = due + 1";
    DUE_SIDECARS = "SELECT s.recording, s.due, s.sha256 AS written_sha256, r.id, r.session_id, r.path, r.archived_bytes,
            r.sha256, r.archived_at, r.first_seen_at, r.completed_seen_at, r.upstream, e.room_name,
            e.upstream AS session, e.ended_at,
            (SELECT json_group_array(json_object('kind', kind, 'detail', detail, 'noted_at', noted_at))
                FROM concern WHERE recording_id = r.id) AS concerns
         FROM sidecar s CROSS JOIN recording r ON r.row = s.recording LEFT JOIN session e ON e.id = r.session_id
         WHERE s.place = '' AND s.due > 0 AND s.recording > ? AND r.state = 'archived' AND r.evicted_at IS NULL
         ORDER BY s.recording LIMIT ?";
    DUE_OBJECTS = "SELECT s.recording, s.due, s.sha256 AS written_sha256, r.id, r.session_id, r.path, r.archived_bytes,
            r.sha256, r.archived_at, r.first_seen_at, r.completed_seen_at, r.upstream, e.room_name,
            e.upstream AS session, e.ended_at,
            (SELECT json_group_array(json_object('kind', kind, 'detail', detail, 'noted_at', noted_at))
                FROM concern WHERE recording_id = r.id) AS concerns
         FROM sidecar s CROSS JOIN recording r ON r.row = s.recording
         CROSS JOIN copy c ON c.target = ?2 AND c.recording = r.row LEFT JOIN session e ON e.id = r.session_id
         WHERE s.place = ?1 AND s.due > 0 AND r.state = 'archived' AND c.state = 'copied' AND c.sha256 = r.sha256
           AND c.key = r.path AND s.recording > ?3
         ORDER BY s.recording LIMIT ?4";
    SIDECAR_WRITTEN = "UPDATE sidecar SET due = iif(due = ?3, 0, due), bytes = ?4, sha256 = ?5
         WHERE recording = ?1 AND place = ?2";
    SIDECAR_OF = "SELECT s.sha256 FROM sidecar s JOIN recording r ON r.row = s.recording
         WHERE r.id = ? AND r.state = 'archived' AND s.place = '' AND s.due = 0";
    SIDECAR_DUE = "UPDATE sidecar SET due = due + 1
         WHERE place = '' AND recording = (SELECT row FROM recording WHERE id = ?)";
}

/// All that a sidecar says.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Described {
    pub id: RecordingId,
    pub session_id: Option<SessionId>,
    pub room_name: Option<String>,
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
    pub archived_at: DateTime<Utc>,
    pub first_seen_at: DateTime<Utc>,
    pub completed_seen_at: Option<DateTime<Utc>>,
    pub concerns: Vec<NotedConcern>,
    /// SignalWire's object of the recording as JSON, without its `uri`.
    pub upstream: String,
    /// SignalWire's object of the session, if it is known.
    pub session: Option<String>,
    /// When the session ended, as well as that is known.
    pub session_ended_at: Option<DateTime<Utc>>,
}

/// A row of the view `concerns`, and one in a sidecar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in the view")]
pub struct NotedConcern {
    pub kind: String,
    pub detail: String,
    pub noted_at: String,
}

/// A sidecar to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct DueSidecar {
    /// What it has to say.
    pub described: Described,
    /// The SHA-256 of what was last written, if it ever was.
    pub written_sha256: Option<String>,
    row: i64,
    due: i64,
}

/// A sidecar that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    row: i64,
    due: i64,
    bytes: u64,
    sha256: String,
}

impl DueSidecar {
    /// The place in the order of [`Store::due_sidecars`], to go on after it.
    #[must_use]
    pub fn row(&self) -> i64 {
        self.row
    }

    /// It was written so, as far as it has not changed again meanwhile.
    #[must_use]
    pub fn written(&self, bytes: u64, sha256: String) -> Written {
        Written {
            row: self.row,
            due: self.due,
            bytes,
            sha256,
        }
    }
}

impl Store {
    /// Begins or ends to note what sidecars are to be written. When it begins, all of them are; when it ends, none is
    /// as it should be, so that nobody compares it.
    ///
    /// `files`: of those on the disk; `objects`: of copies.
    pub async fn watch_sidecars(&self, files: bool, objects: bool) -> Result<()> {
        during("switch the sidecars on or off", async {
            let (of_files, any): (bool, bool) =
                sqlx::query_as(WATCHED).fetch_one(self.read()).await?;
            let mut statements: Vec<&'static str> = Vec::new();
            match (any, files || objects) {
                // What changed meanwhile is not known.
                (false, true) => statements.extend([WATCH_RECORDINGS, WATCH_SESSIONS, OBJECTS_DUE]),
                (true, false) => statements.extend([UNWATCH_RECORDINGS, UNWATCH_SESSIONS]),
                _ => {}
            }
            match (of_files, files) {
                (false, true) => statements.extend([WATCH_FILES, ALL_DUE]),
                (true, false) => statements.extend([UNWATCH_FILES, NONE_KEPT]),
                _ => {}
            }
            if statements.is_empty() {
                return Ok(());
            }
            let mut tx = self.write().await?;
            for statement in statements {
                sqlx::query(statement).execute(on(&mut tx)).await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Up to `limit` sidecars to be written, after the row `after`.
    pub async fn due_sidecars(&self, after: i64, limit: u32) -> Result<Vec<DueSidecar>> {
        during("look for sidecars to write", async {
            let rows = sqlx::query(DUE_SIDECARS)
                .bind(after)
                .bind(limit)
                .fetch_all(self.read())
                .await?;
            rows.iter().map(due).collect()
        })
        .await
    }

    /// Up to `limit` sidecars to be written beside the copies in a target, after the row `after`.
    pub async fn due_objects(
        &self,
        (target, name): (TargetId, &str),
        after: i64,
        limit: u32,
    ) -> Result<Vec<DueSidecar>> {
        during("look for sidecars to upload", async {
            let rows = sqlx::query(DUE_OBJECTS)
                .bind(name)
                .bind(target.0)
                .bind(after)
                .bind(limit)
                .fetch_all(self.read())
                .await?;
            rows.iter().map(due).collect()
        })
        .await
    }

    /// Notes sidecars that are durable now. `place`: empty for those on the disk, else the target's name.
    pub async fn sidecars_written(&self, place: &str, written: &[Written]) -> Result<()> {
        during("note written sidecars", async {
            let mut tx = self.write().await?;
            for one in written {
                note(&mut tx, place, one).await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    /// The SHA-256 that the sidecar of an archived recording should have; `None`: it has none, or is to be written.
    pub async fn sidecar_sha256(&self, id: RecordingId) -> Result<Option<String>> {
        during("look for a sidecar", async {
            Ok(sqlx::query_scalar(SIDECAR_OF)
                .bind(id.to_string())
                .fetch_optional(self.read())
                .await?
                .flatten())
        })
        .await
    }

    /// Has a sidecar written again.
    pub async fn sidecar_due(&self, id: RecordingId) -> Result<()> {
        during("have a sidecar written again", async {
            let mut tx = self.write().await?;
            sqlx::query(SIDECAR_DUE)
                .bind(id.to_string())
                .execute(on(&mut tx))
                .await?;
            Ok(tx.commit().await?)
        })
        .await
    }
}

/// Notes that a sidecar is durable, in a transaction.
async fn note(tx: &mut Transaction<'static, Sqlite>, place: &str, one: &Written) -> Result<()> {
    sqlx::query(SIDECAR_WRITTEN)
        .bind(one.row)
        .bind(place)
        .bind(one.due)
        .bind(one.bytes.cast_signed())
        .bind(&one.sha256)
        .execute(on(tx))
        .await?;
    Ok(())
}

fn due(row: &SqliteRow) -> Result<DueSidecar> {
    let time =
        |column: &str| -> Result<DateTime<Utc>> { at(row, column)?.ok_or(Error::Content("time")) };
    let session: Option<String> = row.try_get("session_id")?;
    let concerns: &str = row.try_get("concerns")?;
    Ok(DueSidecar {
        described: Described {
            id: recording_id(row.try_get("id")?)?,
            session_id: session.and_then(|id| id.parse().ok()),
            room_name: row.try_get("room_name")?,
            path: row.try_get("path")?,
            bytes: bytes(row, "archived_bytes")?.unwrap_or(0),
            sha256: row.try_get("sha256")?,
            archived_at: time("archived_at")?,
            first_seen_at: time("first_seen_at")?,
            completed_seen_at: at(row, "completed_seen_at")?,
            concerns: serde_json::from_str(concerns).map_err(|_| Error::Content("concern"))?,
            upstream: row.try_get("upstream")?,
            session: row.try_get("session")?,
            session_ended_at: at(row, "ended_at")?,
        },
        written_sha256: row.try_get("written_sha256")?,
        row: row.try_get("recording")?,
        due: row.try_get("due")?,
    })
}
