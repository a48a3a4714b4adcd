//! What a copy came to.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::{CopyRow, CopyState, TargetId};
use crate::model::{RecordingId, time};
use crate::store::outbox::copied_event;
use crate::store::rows::statements;
use crate::store::{Result, Store, during, on};

statements! {
    COPIED = "UPDATE copy SET state = 'copied', key = ?1, bytes = ?2, sha256 = ?3, etag = ?4, version = ?5,
            copied_at = ?6, verified_at = ?6, read_at = NULL, retries = 0, next_attempt_at = NULL,
            waits_for_target = 0, error = NULL
         WHERE target = ?7 AND recording = ?8 AND state <> 'copied'
           AND EXISTS (SELECT 1 FROM recording WHERE row = ?8 AND sha256 = ?3)";
    SIDECAR_DUE = "UPDATE sidecar SET due = due + 1 WHERE recording = ?1 AND place = ?2";
    TARGET_COPIED = "UPDATE copy_target SET copied_at = ? WHERE id = ?";
    FORGET_UPLOADS = "DELETE FROM upload WHERE target = ? AND recording = ? AND NOT abandoned";
    COPY_FAILED = "UPDATE copy SET state = ?1, retries = iif(?8, 0, retries + 1), next_attempt_at = ?2, waits_for_target = ?3,
            error = ?4, due_since = coalesce(due_since, iif(?3, NULL, ?7))
         WHERE target = ?5 AND recording = ?6 AND state <> 'copied'";
    COPY_FAILED_EVENT = "INSERT INTO event (at, kind, recording_id, text) SELECT ?1, 'copy', ?2, ?3
         WHERE NOT EXISTS (SELECT 1 FROM event WHERE recording_id = ?2 AND kind = 'copy' AND text = ?3)";
    COPIES_GO_ON = "UPDATE copy SET next_attempt_at = NULL, waits_for_target = 0
         WHERE target = ? AND state <> 'copied' AND waits_for_target = 1";
}

/// The object that holds a recording now, under the key that is the recording's path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub struct Copied<'a> {
    pub row: &'a CopyRow,
    pub etag: Option<&'a str>,
    pub version: Option<&'a str>,
}

/// Why a recording was not copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyFailure {
    /// How the copy is now; not [`CopyState::Copied`].
    pub state: CopyState,
    /// What happened, in a sentence.
    pub error: String,
    /// When it is tried again.
    pub again_at: DateTime<Utc>,
    /// Whether the target failed, not this copy: it is tried again as soon as the target works.
    pub target_failed: bool,
    /// Whether parts arrived before it failed: then the wait does not grow.
    pub progressed: bool,
    /// Whether operators need to be able to look it up later.
    pub event: bool,
}

impl Store {
    /// Notes that recordings were copied, and forgets their uploads. Their sidecars are due then. Returns which were
    /// noted, by their rows: not those that have another file meanwhile.
    pub async fn copied(
        &self,
        (target, name): (TargetId, &str),
        all: &[Copied<'_>],
        now: DateTime<Utc>,
    ) -> Result<HashSet<i64>> {
        during("note copies", async {
            let (now, mut noted) = (time::to_text(now), HashSet::new());
            let mut tx = self.write().await?;
            for Copied { row, etag, version } in all {
                let done = sqlx::query(COPIED)
                    .bind(&row.path)
                    .bind(row.bytes.cast_signed())
                    .bind(&row.sha256)
                    .bind(*etag)
                    .bind(*version)
                    .bind(&now)
                    .bind(target.0)
                    .bind(row.recording)
                    .execute(on(&mut tx))
                    .await?;
                if done.rows_affected() == 0 {
                    continue;
                }
                noted.insert(row.recording);
                let query = sqlx::query(FORGET_UPLOADS).bind(target.0);
                query.bind(row.recording).execute(on(&mut tx)).await?;
                let query = sqlx::query(SIDECAR_DUE).bind(row.recording);
                query.bind(name).execute(on(&mut tx)).await?;
                copied_event(&mut tx, name, row.id, &now).await?;
            }
            let query = sqlx::query(TARGET_COPIED).bind(&now).bind(target.0);
            query.execute(on(&mut tx)).await?;
            tx.commit().await?;
            Ok(noted)
        })
        .await
    }

    /// Notes that a recording was not copied, and when that is tried again.
    pub async fn copy_failed(
        &self,
        target: TargetId,
        (recording, id): (i64, RecordingId),
        failure: &CopyFailure,
        now: DateTime<Utc>,
    ) -> Result<()> {
        during("note a failed copy", async {
            let now = time::to_text(now);
            let mut tx = self.write().await?;
            sqlx::query(COPY_FAILED)
                .bind(failure.state.as_str())
                .bind(time::to_text(failure.again_at))
                .bind(failure.target_failed)
                .bind(&failure.error)
                .bind(target.0)
                .bind(recording)
                .bind(&now)
                .bind(failure.progressed)
                .execute(on(&mut tx))
                .await?;
            if failure.event {
                sqlx::query(COPY_FAILED_EVENT)
                    .bind(&now)
                    .bind(id.to_string())
                    .bind(&failure.error)
                    .execute(on(&mut tx))
                    .await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    /// The target works again: what waited for that is due.
    pub async fn copies_go_on(&self, target: TargetId) -> Result<()> {
        during("go on with copies", async {
            let mut tx = self.write().await?;
            let query = sqlx::query(COPIES_GO_ON).bind(target.0);
            query.execute(on(&mut tx)).await?;
            Ok(tx.commit().await?)
        })
        .await
    }
}
