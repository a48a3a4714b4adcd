//! Which copies are to be verified, and what that came to.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{CopyState, TargetId};
use crate::model::{RecordingId, time};
use crate::store::meta::add_event;
use crate::store::rows::{json, recording_id, statements};
use crate::store::{Result, Store, during, on};

statements! {
    COUNT_COPIES = "SELECT count(*) FROM copy INDEXED BY copy_verified WHERE target = ? AND state = 'copied'";
    COPIES_SEEN = "UPDATE copy SET verified_at = max(verified_at, ?1) WHERE target = ?2 AND state = 'copied' AND recording IN (
            SELECT c.recording FROM json_each(?3) j
            CROSS JOIN recording r ON r.path = j.value ->> 'key'
            CROSS JOIN copy c ON c.target = ?2 AND c.recording = r.row
            WHERE c.key = r.path AND c.bytes = j.value ->> 'bytes'
              AND (c.etag IS NULL OR c.etag = j.value ->> 'etag'))";
    SIDECARS_SEEN = "UPDATE sidecar SET seen_at = ?1 WHERE place = ?2 AND recording IN (
            SELECT s.recording FROM json_each(?3) j
            CROSS JOIN recording r ON r.path = substr(j.value ->> 'key', 1, length(j.value ->> 'key') - length('.json'))
            CROSS JOIN sidecar s ON s.recording = r.row AND s.place = ?2
            WHERE j.value ->> 'key' GLOB '*.json' AND s.bytes = j.value ->> 'bytes')";
    UNSEEN_SIDECARS = "SELECT s.recording, r.path || '.json', s.bytes, s.sha256 FROM sidecar s JOIN recording r ON r.row = s.recording
         WHERE s.place = ?1 AND s.due = 0 AND s.bytes IS NOT NULL AND coalesce(s.seen_at, '') < ?3 AND s.recording > ?4
           AND EXISTS (SELECT 1 FROM copy c WHERE c.target = ?2 AND c.recording = s.recording AND c.state = 'copied')
         ORDER BY s.recording LIMIT ?5";
    SIDECAR_LOST = "UPDATE sidecar SET due = due + 1, bytes = NULL WHERE place = ? AND recording = ? AND due = 0 AND sha256 = ?";
    UNVERIFIED = "SELECT c.recording, r.id, c.key, c.bytes, c.sha256, c.etag
         FROM copy c INDEXED BY copy_verified JOIN recording r ON r.row = c.recording
         WHERE c.target = ? AND c.state = 'copied' AND c.verified_at < ? ORDER BY c.verified_at LIMIT ?";
    LONGEST_UNREAD = "SELECT c.recording, r.id, c.key, c.bytes, c.sha256, c.etag
         FROM copy c INDEXED BY copy_verified JOIN recording r ON r.row = c.recording
         WHERE c.target = ? AND c.state = 'copied' AND coalesce(c.read_at, '') < ?
         ORDER BY coalesce(c.read_at, ''), c.copied_at LIMIT 1";
    COPY_READ = "UPDATE copy SET read_at = ?1, verified_at = max(verified_at, ?1)
         WHERE target = ?2 AND recording = ?3 AND state = 'copied'";
    COPY_VERIFIED = "UPDATE copy SET verified_at = ?1 WHERE target = ?2 AND recording = ?3 AND state = 'copied'";
    COPY_WRONG = "UPDATE copy SET state = ?4, error = ?5, due_since = ?1, retries = 0, next_attempt_at = NULL,
            waits_for_target = 0
         WHERE target = ?2 AND recording = ?3 AND state = 'copied'";
    IS_PATH = "SELECT EXISTS (SELECT 1 FROM recording WHERE path = ?)";
}

/// An object of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub struct SeenObject {
    /// Below the prefix.
    pub key: String,
    pub bytes: u64,
    pub etag: Option<String>,
}

/// A copy that is to be looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct VerifiableCopy {
    /// The recording's row.
    pub recording: i64,
    pub id: RecordingId,
    /// Below the prefix.
    pub key: String,
    pub bytes: u64,
    pub sha256: String,
    pub etag: Option<String>,
}

/// The sidecar of a copy that a list did not show as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct UnseenSidecar {
    /// The recording's row.
    pub recording: i64,
    /// Below the prefix.
    pub key: String,
    pub bytes: u64,
    pub sha256: String,
}

impl Store {
    /// How many copies a target has.
    pub async fn count_copies(&self, target: TargetId) -> Result<u64> {
        during("count copies", async {
            let query = sqlx::query_scalar(COUNT_COPIES).bind(target.0);
            let count: i64 = query.fetch_one(self.read()).await?;
            Ok(count.cast_unsigned())
        })
        .await
    }

    /// Notes the copies that a list shows with the right size and checksum, and the sidecars with the right size. Other
    /// objects are of no interest here.
    pub async fn copies_seen(
        &self,
        (target, name): (TargetId, &str),
        seen: &[SeenObject],
        now: DateTime<Utc>,
    ) -> Result<()> {
        during("note the copies that are there", async {
            let mut tx = self.write().await?;
            let query = sqlx::query(COPIES_SEEN).bind(time::to_text(now));
            let query = query.bind(target.0).bind(json(seen)?);
            query.execute(on(&mut tx)).await?;
            let query = sqlx::query(SIDECARS_SEEN).bind(time::to_text(now));
            let query = query.bind(name).bind(json(seen)?);
            query.execute(on(&mut tx)).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Copies that were not verified since `since`.
    pub async fn unverified_copies(
        &self,
        target: TargetId,
        limit: usize,
        since: DateTime<Utc>,
    ) -> Result<Vec<VerifiableCopy>> {
        during("look for copies to verify", async {
            let query = sqlx::query(UNVERIFIED).bind(target.0);
            let query = query.bind(time::to_text(since));
            let query = query.bind(i64::try_from(limit).unwrap_or(i64::MAX));
            let rows = query.fetch_all(self.read()).await?;
            rows.iter().map(verifiable).collect()
        })
        .await
    }

    /// Sidecars of copies that were not seen since `since`, after the row `after`.
    pub async fn unseen_sidecars(
        &self,
        (target, name): (TargetId, &str),
        since: DateTime<Utc>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<UnseenSidecar>> {
        during("look for sidecars to verify", async {
            let rows: Vec<(i64, String, i64, String)> = sqlx::query_as(UNSEEN_SIDECARS)
                .bind(name)
                .bind(target.0)
                .bind(time::to_text(since))
                .bind(after)
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(self.read())
                .await?;
            let unseen = rows
                .into_iter()
                .map(|(recording, key, bytes, sha256)| UnseenSidecar {
                    recording,
                    key,
                    bytes: bytes.cast_unsigned(),
                    sha256,
                });
            Ok(unseen.collect())
        })
        .await
    }

    /// Has the sidecar of a copy written again, unless it was written meanwhile.
    pub async fn sidecar_lost(&self, name: &str, lost: &UnseenSidecar) -> Result<()> {
        during("have a sidecar written again", async {
            let mut tx = self.write().await?;
            let query = sqlx::query(SIDECAR_LOST).bind(name);
            let query = query.bind(lost.recording).bind(&lost.sha256);
            query.execute(on(&mut tx)).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// The copy that was read back longest ago, unless since `since`.
    pub async fn longest_unread_copy(
        &self,
        target: TargetId,
        since: DateTime<Utc>,
    ) -> Result<Option<VerifiableCopy>> {
        during("look for a copy to read", async {
            let query = sqlx::query(LONGEST_UNREAD).bind(target.0);
            let query = query.bind(time::to_text(since));
            let row = query.fetch_optional(self.read()).await?;
            row.as_ref().map(verifiable).transpose()
        })
        .await
    }

    /// Notes that a copy was read back, and its hash was right.
    pub async fn copy_read(
        &self,
        target: TargetId,
        recording: i64,
        now: DateTime<Utc>,
    ) -> Result<()> {
        during("note a copy that was read", async {
            let mut tx = self.write().await?;
            let query = sqlx::query(COPY_READ).bind(time::to_text(now));
            let query = query.bind(target.0).bind(recording);
            query.execute(on(&mut tx)).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Notes how a copy is, and what is wrong with it.
    pub async fn copy_verified(
        &self,
        target: TargetId,
        copy: &VerifiableCopy,
        state: CopyState,
        error: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        during("note a verified copy", async {
            let now = time::to_text(now);
            let mut tx = self.write().await?;
            let Some(error) = error else {
                let query = sqlx::query(COPY_VERIFIED).bind(&now).bind(target.0);
                query.bind(copy.recording).execute(on(&mut tx)).await?;
                return Ok(tx.commit().await?);
            };
            let query = sqlx::query(COPY_WRONG).bind(&now).bind(target.0);
            let query = query.bind(copy.recording).bind(state.as_str()).bind(error);
            query.execute(on(&mut tx)).await?;
            add_event(&mut tx, &now, "copy", Some(copy.id), error).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Whether a recording has this path.
    pub async fn is_path(&self, path: &str) -> Result<bool> {
        during("look for a path", async {
            let query = sqlx::query_scalar(IS_PATH).bind(path);
            Ok(query.fetch_one(self.read()).await?)
        })
        .await
    }
}

fn verifiable(row: &SqliteRow) -> Result<VerifiableCopy> {
    Ok(VerifiableCopy {
        recording: row.try_get("recording")?,
        id: recording_id(row.try_get("id")?)?,
        key: row.try_get("key")?,
        bytes: row.try_get::<i64, _>("bytes")?.cast_unsigned(),
        sha256: row.try_get("sha256")?,
        etag: row.try_get("etag")?,
    })
}
