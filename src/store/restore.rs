//! Rows from sidecars, for a database that was lost.

use chrono::{DateTime, Utc};
use sqlx::{Sqlite, Transaction};

use crate::model::{ConcernKind, Recording, RecordingId, Session, time};
use crate::store::rows::{json, recording_id, statements};
use crate::store::{Described, Result, Store, during, on};

statements! {
    RESTORABLE = "SELECT j.value FROM json_each(?) j WHERE NOT EXISTS (SELECT 1 FROM recording
         WHERE id = j.value AND state IN ('archived', 'damaged', 'downloading'))";
    RESTORE_SESSION = "INSERT INTO session (id, room_name, status, start_time, end_time, created_at, ended_at,
            first_seen_at, described_at, next_list_at, settled_at, upstream)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, CASE WHEN ?7 IS NULL THEN ?9 END,
            CASE WHEN ?7 IS NOT NULL THEN ?9 END, ?10)
         ON CONFLICT (id) DO UPDATE SET room_name = excluded.room_name, status = excluded.status,
            start_time = excluded.start_time, end_time = excluded.end_time, created_at = excluded.created_at,
            ended_at = excluded.ended_at, described_at = excluded.described_at, upstream = excluded.upstream
         WHERE session.described_at IS NULL";
    RESTORE_STUB = "INSERT INTO session (id, first_seen_at, next_list_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    RESTORE_RECORDING = "INSERT INTO recording (id, session_id, upstream_status, started_at, finished_at,
            duration_seconds, size_bytes, format, cost_in_dollars, updated_at, upstream, state, first_seen_at,
            completed_seen_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'lost', ?, ?) ON CONFLICT (id) DO NOTHING";
    RESTORE_ARCHIVED = "UPDATE OR IGNORE recording SET state = 'archived', path = ?2, archived_bytes = ?3, sha256 = ?4,
            archived_at = ?5, verified_at = ?6, concerns = ?7, first_seen_at = min(first_seen_at, ?8),
            skip_reason = NULL, damage = NULL, retries = 0, pending_since = NULL, next_attempt_at = NULL,
            waits_for = NULL, last_error = NULL, part_bytes = 0, part_validator = NULL, part_total = NULL,
            doubted_sha256 = NULL, doubted_bytes = NULL, doubted_validator = NULL
         WHERE id = ?1 AND state IN ('waiting', 'skipped', 'pending', 'lost')";
    RESTORE_CONCERN = "INSERT OR IGNORE INTO concern (recording_id, kind, detail, noted_at) VALUES (?, ?, ?, ?)";
    RESTORE_COPY = "INSERT INTO copy (target, recording, state, key, bytes, sha256, etag, version, copied_at, verified_at)
         SELECT t.id, r.row, 'copied', ?3, r.archived_bytes, r.sha256, ?4, ?5, ?6, ?6
         FROM copy_target t, recording r WHERE t.name = ?2 AND r.id = ?1
         ON CONFLICT DO UPDATE SET state = 'copied', key = excluded.key, bytes = excluded.bytes,
            sha256 = excluded.sha256, etag = excluded.etag, version = excluded.version, copied_at = excluded.copied_at,
            verified_at = excluded.verified_at, read_at = NULL, retries = 0, next_attempt_at = NULL, error = NULL";
    RESTORE_OBJECT = "INSERT INTO sidecar (recording, place, due, bytes, sha256)
         SELECT row, ?2, ?3 IS NULL, ?3, ?4 FROM recording WHERE id = ?1
         ON CONFLICT DO UPDATE SET due = excluded.due, bytes = excluded.bytes, sha256 = excluded.sha256";
    RESTORE_EVICTED = "UPDATE recording SET evicted_at = ?2 WHERE id = ?1";
    RESTORE_EVICTION = "INSERT INTO eviction (recording, evicted_at, removed)
         SELECT row, ?2, 1 FROM recording WHERE id = ?1 ON CONFLICT DO UPDATE SET evicted_at = ?2, removed = 1";
    FORGET_STRAY_OF = "DELETE FROM stray WHERE recording_id = ?";
}

/// A recording as its sidecar describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    /// What the sidecar says besides SignalWire's objects; its path is where the file was found.
    pub described: Described,
    /// SignalWire's object of the recording.
    pub recording: Recording,
    /// SignalWire's object of its session, if that is known.
    pub session: Option<Session>,
    /// When the whole file was last read and had the right hash.
    pub verified_at: DateTime<Utc>,
    /// The copy that it was restored from, if it was not a file on the disk.
    pub copy: Option<RestoredCopy>,
}

/// A copy that a recording was restored from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct RestoredCopy {
    pub target: String,
    /// Below the target's prefix.
    pub key: String,
    pub etag: Option<String>,
    pub version: Option<String>,
    /// Length and SHA-256 of its sidecar, if it has one.
    pub sidecar: Option<(u64, String)>,
    /// The file is not on the disk.
    pub evicted: bool,
}

impl Store {
    /// Those of `ids` that have no archived file as far as the database knows.
    pub async fn restorable(&self, ids: &[RecordingId]) -> Result<Vec<RecordingId>> {
        during("look for recordings to restore", async {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let ids: Vec<String> = sqlx::query_scalar(RESTORABLE)
                .bind(json(&ids)?)
                .fetch_all(self.read())
                .await?;
            ids.iter().map(|id| recording_id(id)).collect()
        })
        .await
    }

    /// Makes recordings archived as their sidecars say. What the database knows of them stays. Returns how many it
    /// did not have as archived.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database fails; then nothing of it is kept.
    pub async fn restore(&self, restored: &[Restored], now: DateTime<Utc>) -> Result<u64> {
        during("restore recordings from sidecars", async {
            let now = time::to_text(now);
            let mut tx = self.write().await?;
            let mut done = 0;
            for one in restored {
                restore_session(&mut tx, one, &now).await?;
                let fresh = restore_one(&mut tx, one).await?;
                done += u64::from(fresh);
                if let (true, Some(copy)) = (fresh, &one.copy) {
                    restore_copy(&mut tx, &one.described.id.to_string(), copy, &now).await?;
                }
            }
            tx.commit().await?;
            Ok(done)
        })
        .await
    }
}

async fn restore_session(
    tx: &mut Transaction<'static, Sqlite>,
    one: &Restored,
    now: &str,
) -> Result<()> {
    let first_seen = time::to_text(one.described.first_seen_at);
    let Some(session) = &one.session else {
        if let Some(id) = one.described.session_id {
            sqlx::query(RESTORE_STUB)
                .bind(id.to_string())
                .bind(first_seen)
                .bind(now)
                .execute(on(tx))
                .await?;
        }
        return Ok(());
    };
    let text = |time: Option<DateTime<Utc>>| time.map(time::to_text);
    sqlx::query(RESTORE_SESSION)
        .bind(session.id.to_string())
        .bind(session.room_name.as_deref())
        .bind(session.status.as_str())
        .bind(text(session.start_time))
        .bind(text(session.end_time))
        .bind(text(session.created_at))
        .bind(text(one.described.session_ended_at.or(session.ended_at())))
        .bind(first_seen)
        .bind(now)
        .bind(&session.upstream)
        .execute(on(tx))
        .await?;
    Ok(())
}

async fn restore_one(tx: &mut Transaction<'static, Sqlite>, one: &Restored) -> Result<bool> {
    let (described, recording) = (&one.described, &one.recording);
    let text = |time: Option<DateTime<Utc>>| time.map(time::to_text);
    let id = described.id.to_string();
    sqlx::query(RESTORE_RECORDING)
        .bind(&id)
        .bind(described.session_id.map(|id| id.to_string()))
        .bind(recording.status.as_str())
        .bind(text(recording.started_at))
        .bind(text(recording.finished_at))
        .bind(recording.duration_seconds)
        .bind(recording.size_bytes.map(u64::cast_signed))
        .bind(&recording.format)
        .bind(recording.cost_in_dollars)
        .bind(text(recording.updated_at))
        .bind(&recording.upstream)
        .bind(time::to_text(described.first_seen_at))
        .bind(text(described.completed_seen_at))
        .execute(on(tx))
        .await?;
    let done = sqlx::query(RESTORE_ARCHIVED)
        .bind(&id)
        .bind(&described.path)
        .bind(described.bytes.cast_signed())
        .bind(&described.sha256)
        .bind(time::to_text(described.archived_at))
        .bind(time::to_text(one.verified_at))
        .bind(kinds(described))
        .bind(time::to_text(described.first_seen_at))
        .execute(on(tx))
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    for concern in &described.concerns {
        sqlx::query(RESTORE_CONCERN)
            .bind(&id)
            .bind(&concern.kind)
            .bind(&concern.detail)
            .bind(&concern.noted_at)
            .execute(on(tx))
            .await?;
    }
    sqlx::query(FORGET_STRAY_OF)
        .bind(&id)
        .execute(on(tx))
        .await?;
    Ok(true)
}

async fn restore_copy(
    tx: &mut Transaction<'static, Sqlite>,
    id: &str,
    copy: &RestoredCopy,
    now: &str,
) -> Result<()> {
    sqlx::query(RESTORE_COPY)
        .bind(id)
        .bind(&copy.target)
        .bind(&copy.key)
        .bind(&copy.etag)
        .bind(&copy.version)
        .bind(now)
        .execute(on(tx))
        .await?;
    sqlx::query(RESTORE_OBJECT)
        .bind(id)
        .bind(&copy.target)
        .bind(copy.sidecar.as_ref().map(|(bytes, _)| bytes.cast_signed()))
        .bind(copy.sidecar.as_ref().map(|(_, sha256)| sha256))
        .execute(on(tx))
        .await?;
    if copy.evicted {
        for statement in [RESTORE_EVICTED, RESTORE_EVICTION] {
            sqlx::query(statement)
                .bind(id)
                .bind(now)
                .execute(on(tx))
                .await?;
        }
    }
    Ok(())
}

/// The kinds of its concerns, as the column has them.
fn kinds(described: &Described) -> Option<String> {
    let kinds = described.concerns.iter().map(|one| one.kind.parse());
    let mut kinds: Vec<ConcernKind> = kinds.filter_map(std::result::Result::ok).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let words: Vec<_> = kinds.into_iter().map(ConcernKind::as_str).collect();
    (!words.is_empty()).then(|| words.join(","))
}
