//! Which recordings are still to be copied.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::TargetId;
use crate::model::{RecordingId, time, words};
use crate::store::rows::{at, recording_id, statements, word};
use crate::store::{Result, Store, during, on};

statements! {
    READ_ENROLLED = "SELECT enrolled_to FROM copy_target WHERE id = ?";
    NEXT_TO_ENROL = "SELECT max(verified_at), count(*) FROM (SELECT verified_at FROM recording INDEXED BY recording_verified
         WHERE state = 'archived' AND verified_at >= ?1 ORDER BY verified_at LIMIT ?2)";
    // What was archived before the target was added waits behind what is new, and is not late.
    ENROL = "INSERT INTO copy (target, recording, state, due_since)
         SELECT t.id, r.row, 'pending', iif(r.archived_at >= t.added_at, r.archived_at, NULL)
         FROM copy_target t, recording r INDEXED BY recording_verified
         WHERE t.id = ?1 AND r.state = 'archived' AND r.verified_at >= ?2 AND r.verified_at <= ?3
           AND r.evicted_at IS NULL
         ON CONFLICT (target, recording) DO UPDATE SET state = 'pending', due_since = ?4, retries = 0,
            next_attempt_at = NULL, error = NULL
         WHERE sha256 IS NOT NULL
           AND sha256 <> (SELECT r.sha256 FROM recording r WHERE r.row = copy.recording)";
    ENROLLED = "UPDATE copy_target SET enrolled_to = ? WHERE id = ?";
    DUE_NEW = "SELECT c.recording, r.id, r.path, r.archived_bytes, r.sha256, c.state, c.retries, c.due_since,
            c.sha256 IS NOT NULL AS was_copied
         FROM copy c INDEXED BY copy_open JOIN recording r ON r.row = c.recording
         WHERE c.target = ?1 AND c.state <> 'copied' AND c.due_since IS NOT NULL
           AND (c.next_attempt_at IS NULL OR c.next_attempt_at <= ?2 OR c.next_attempt_at > ?3)
           AND r.state = 'archived' AND r.evicted_at IS NULL
         ORDER BY c.due_since LIMIT ?4";
    DUE_OLD = "SELECT c.recording, r.id, r.path, r.archived_bytes, r.sha256, c.state, c.retries, c.due_since,
            c.sha256 IS NOT NULL AS was_copied
         FROM copy c INDEXED BY copy_open JOIN recording r ON r.row = c.recording
         WHERE c.target = ?1 AND c.state <> 'copied' AND c.due_since IS NULL
           AND (c.next_attempt_at IS NULL OR c.next_attempt_at <= ?2 OR c.next_attempt_at > ?3)
           AND r.state = 'archived' AND r.evicted_at IS NULL
         LIMIT ?4";
    NEXT_COPY_DUE = "SELECT min(c.next_attempt_at) FROM copy c INDEXED BY copy_open JOIN recording r ON r.row = c.recording
         WHERE c.target = ? AND c.state <> 'copied' AND c.next_attempt_at IS NOT NULL
           AND r.state = 'archived' AND r.evicted_at IS NULL";
}

words! {
    /// How a copy is.
    pub enum CopyState ("the state of a copy") {
        /// Still to be uploaded.
        Pending = "pending",
        /// It is there, as it should be.
        Copied = "copied",
        /// It was there, and no longer is.
        Missing = "missing",
        /// Another object is under its key.
        Differs = "differs",
    }
}

/// A recording that is to be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct CopyRow {
    /// The recording's row.
    pub recording: i64,
    pub id: RecordingId,
    /// Relative to the archive; and the key, below the prefix.
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
    pub state: CopyState,
    /// Failures in a row.
    pub retries: u32,
    /// Since when it should be there; `None`: it was archived before the target was added.
    pub due_since: Option<DateTime<Utc>>,
    /// Whether a copy was made before: what is under the key now was altered since.
    pub was_copied: bool,
}

/// Rows that one transaction adds at most.
const ENROLLED_AT_ONCE: i64 = 5000;
/// A recording's `verified_at` may be written a little before another's that is earlier.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);

impl Store {
    /// Gives archived recordings their rows for a target: those that were archived, or verified, since the last time.
    /// Returns whether there may be more.
    pub async fn enrol_copies(&self, target: TargetId, now: DateTime<Utc>) -> Result<bool> {
        during("look for recordings to copy", async {
            let from: String = sqlx::query_scalar(READ_ENROLLED)
                .bind(target.0)
                .fetch_one(self.read())
                .await?;
            let overlapped = time::parse(&from).map_or(from, |at| time::to_text(at - OVERLAP));
            let mut limit = ENROLLED_AT_ONCE;
            let (to, more) = loop {
                let (to, found): (Option<String>, i64) = sqlx::query_as(NEXT_TO_ENROL)
                    .bind(&overlapped)
                    .bind(limit)
                    .fetch_one(self.read())
                    .await?;
                let Some(to) = to else {
                    return Ok(false);
                };
                // As many as this within the overlap would be looked at for ever.
                let further =
                    time::parse(&to).is_none_or(|at| time::to_text(at - OVERLAP) > overlapped);
                if found < limit || further {
                    break (to, found == limit);
                }
                limit *= 4;
            };
            let mut tx = self.write().await?;
            let query = sqlx::query(ENROL).bind(target.0).bind(&overlapped);
            let query = query.bind(&to).bind(time::to_text(now));
            query.execute(on(&mut tx)).await?;
            let query = sqlx::query(ENROLLED).bind(&to).bind(target.0);
            query.execute(on(&mut tx)).await?;
            tx.commit().await?;
            Ok(more)
        })
        .await
    }

    /// Recordings to be copied to a target now: new ones first, then those that were there before the target.
    pub async fn due_copies(
        &self,
        target: TargetId,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Result<Vec<CopyRow>> {
        during("look for recordings to copy", async {
            let mut due: Vec<CopyRow> = Vec::new();
            for statement in [DUE_NEW, DUE_OLD] {
                let left = limit.saturating_sub(due.len());
                if left == 0 {
                    break;
                }
                let rows = sqlx::query(statement)
                    .bind(target.0)
                    .bind(time::to_text(now))
                    .bind(time::to_text(now + crate::store::LONGEST_WAIT))
                    .bind(i64::try_from(left).unwrap_or(i64::MAX))
                    .fetch_all(self.read())
                    .await?;
                for row in &rows {
                    due.push(copy_row(row)?);
                }
            }
            Ok(due)
        })
        .await
    }

    /// When the next copy that was put off is due.
    pub async fn next_copy_due(&self, target: TargetId) -> Result<Option<DateTime<Utc>>> {
        during("look when the next copy is due", async {
            let next: Option<String> = sqlx::query_scalar(NEXT_COPY_DUE)
                .bind(target.0)
                .fetch_one(self.read())
                .await?;
            Ok(next.as_deref().and_then(time::parse))
        })
        .await
    }
}

fn copy_row(row: &SqliteRow) -> Result<CopyRow> {
    Ok(CopyRow {
        recording: row.try_get("recording")?,
        id: recording_id(row.try_get("id")?)?,
        path: row.try_get("path")?,
        bytes: row.try_get::<i64, _>("archived_bytes")?.cast_unsigned(),
        sha256: row.try_get("sha256")?,
        state: word(row, "state")?,
        retries: row.try_get("retries")?,
        due_since: at(row, "due_since")?,
        was_copied: row.try_get("was_copied")?,
    })
}
