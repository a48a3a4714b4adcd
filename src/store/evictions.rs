//! Files that are no longer on the disk because copies hold them, and what brings them back.

use chrono::{DateTime, Utc};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::model::{RecordingId, time};
use crate::store::meta::add_event;
use crate::store::rows::{bytes, recording_id, statements};
use crate::store::{Result, Store, during, exactly_one, on};

statements! {
    // Of every configured target a copy must be there: the file is what the others are made from. A bucket explains
    // itself only with the sidecar.
    EVICTABLE = "SELECT r.row, r.id, r.path, r.archived_bytes, r.sha256, c.key, c.etag,
            (SELECT sha256 FROM sidecar WHERE recording = r.row AND place = '') AS sidecar_sha256,
            t.name || ' (' || t.url || '/' || c.key || ')' AS place
         FROM copy_target t CROSS JOIN copy c ON c.target = t.id CROSS JOIN recording r ON r.row = c.recording
         WHERE t.name = ?1 AND c.recording > ?3 AND c.state = 'copied' AND c.copied_at <= ?2
           AND c.verified_at >= strftime('%Y-%m-%dT%H:%M:%fZ', c.copied_at, '+1 day')
           AND r.state = 'archived' AND r.evicted_at IS NULL AND c.sha256 = r.sha256
           AND coalesce((SELECT fetched_at FROM eviction WHERE recording = r.row), '') <= ?2
           AND EXISTS (SELECT 1 FROM sidecar WHERE recording = r.row AND place = t.name AND bytes IS NOT NULL)
           AND (SELECT count(*) FROM copy o JOIN copy_target ot ON ot.id = o.target
                WHERE o.recording = r.row AND ot.configured AND o.state = 'copied' AND o.sha256 = r.sha256)
             = (SELECT count(*) FROM copy_target WHERE configured)
         ORDER BY c.recording LIMIT ?4";
    EVICT = "UPDATE recording SET evicted_at = ?2
         WHERE id = ?1 AND state = 'archived' AND evicted_at IS NULL AND sha256 = ?3";
    NOTE_EVICTION = "INSERT INTO eviction (recording, evicted_at) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET evicted_at = ?2, removed = 0";
    UNREMOVED = "SELECT r.row, r.id, r.path, r.archived_bytes, r.sha256, '' AS key, NULL AS etag,
            NULL AS sidecar_sha256, '' AS place
         FROM eviction e INDEXED BY eviction_unremoved CROSS JOIN recording r ON r.row = e.recording
         WHERE e.removed = 0 AND r.state = 'archived' AND r.evicted_at IS NOT NULL LIMIT 1000";
    TAKE_BACK = "UPDATE recording SET evicted_at = NULL WHERE id = ? AND state = 'archived' AND evicted_at IS NOT NULL";
    REMOVED = "UPDATE eviction SET removed = 1 WHERE recording = ?";
    FORGET_SIDECAR = "DELETE FROM sidecar WHERE recording = ? AND place = ''";
    HELD_COPIES = "SELECT t.name, c.key, c.bytes FROM recording r JOIN copy c ON c.recording = r.row
         JOIN copy_target t ON t.id = c.target
         WHERE r.id = ? AND c.key IS NOT NULL AND c.sha256 = r.sha256 ORDER BY c.state <> 'copied', t.name";
    READ_FETCHABLE = "SELECT id, state, path, archived_bytes, sha256, evicted_at IS NOT NULL AS evicted
         FROM recording WHERE id = ?";
    IS_EVICTED = "SELECT EXISTS (SELECT 1 FROM recording WHERE id = ? AND state = 'archived' AND evicted_at IS NOT NULL)";
    NOTE_FETCHED = "UPDATE recording SET evicted_at = NULL, verified_at = ?2
         WHERE id = ?1 AND state = 'archived' AND evicted_at IS NOT NULL";
    KEEP_FETCHED = "UPDATE eviction SET removed = 1, fetched_at = ?2
         WHERE recording = (SELECT row FROM recording WHERE id = ?1)";
    NOWHERE = "SELECT r.id FROM recording r INDEXED BY recording_evicted
         WHERE r.evicted_at IS NOT NULL AND r.state = 'archived'
           AND NOT EXISTS (SELECT 1 FROM copy c WHERE c.recording = r.row AND c.state = 'copied' AND c.sha256 = r.sha256)
         LIMIT 1000";
    NOTE_NOWHERE = "UPDATE recording SET state = 'damaged', damage = 'missing', evicted_at = NULL,
            next_attempt_at = NULL, retries = 0, pending_since = ?2
         WHERE id = ?1 AND state = 'archived' AND evicted_at IS NOT NULL";
}

/// A file that may be removed from the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Evictable {
    /// The recording's row.
    pub row: i64,
    pub id: RecordingId,
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
    /// Of what was last written as its sidecar on the disk, if it has one.
    pub sidecar_sha256: Option<String>,
    /// Of its copy, below the target's prefix.
    pub key: String,
    pub etag: Option<String>,
    /// Where its copy is, for people.
    place: String,
}

/// A copy that holds a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct HeldCopy {
    pub target: String,
    /// Below the target's prefix.
    pub key: String,
    pub bytes: u64,
}

/// A recording that someone wants to have on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Fetchable {
    pub id: RecordingId,
    /// Whether it is archived, and if so where its file is or was.
    pub archived: Option<ArchivedFile>,
    /// Its state, for people.
    pub state: String,
}

/// The file of an archived recording.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct ArchivedFile {
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
    /// Whether only copies are left.
    pub evicted: bool,
}

impl Store {
    /// Files that may go because their copies in the target `name` were made `before`, after the row `after`.
    pub async fn evictable(
        &self,
        name: &str,
        before: DateTime<Utc>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Evictable>> {
        during("look for files to evict", async {
            let rows = sqlx::query(EVICTABLE)
                .bind(name)
                .bind(time::to_text(before))
                .bind(after)
                .bind(limit)
                .fetch_all(self.read())
                .await?;
            rows.iter().map(evictable).collect()
        })
        .await
    }

    /// Notes that a file is evicted; it is to be removed now.
    pub async fn evict(&self, file: &Evictable, now: DateTime<Utc>) -> Result<()> {
        during("note an evicted file", async {
            let now = time::to_text(now);
            let id = file.id.to_string();
            let mut tx = self.write().await?;
            let done = sqlx::query(EVICT)
                .bind(&id)
                .bind(&now)
                .bind(&file.sha256)
                .execute(on(&mut tx))
                .await?;
            exactly_one(&done, file.id, "archived, on the disk")?;
            sqlx::query(NOTE_EVICTION)
                .bind(file.row)
                .bind(&now)
                .execute(on(&mut tx))
                .await?;
            let text = format!(
                "its file '{}' was removed from the disk; its copy is in {}",
                file.path, file.place
            );
            add_event(&mut tx, &now, "evicted", Some(file.id), &text).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Evicted files whose removal was not completed.
    pub async fn unremoved(&self) -> Result<Vec<Evictable>> {
        during("look for evicted files to remove", async {
            let rows = sqlx::query(UNREMOVED).fetch_all(self.read()).await?;
            rows.iter().map(evictable).collect()
        })
        .await
    }

    /// Takes an eviction back: the file is still on the disk.
    pub async fn take_back(&self, file: &Evictable, now: DateTime<Utc>) -> Result<()> {
        during("take an eviction back", async {
            let (now, id) = (time::to_text(now), file.id.to_string());
            let mut tx = self.write().await?;
            sqlx::query(TAKE_BACK)
                .bind(&id)
                .execute(on(&mut tx))
                .await?;
            sqlx::query(REMOVED)
                .bind(file.row)
                .execute(on(&mut tx))
                .await?;
            let text = "its file could not be removed, and is still on the disk";
            add_event(&mut tx, &now, "evicted", Some(file.id), text).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Notes that an evicted file is no longer on the disk.
    pub async fn removed(&self, file: &Evictable) -> Result<()> {
        during("note a removed file", async {
            let mut tx = self.write().await?;
            for statement in [REMOVED, FORGET_SIDECAR] {
                sqlx::query(statement)
                    .bind(file.row)
                    .execute(on(&mut tx))
                    .await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    /// The copies that hold a recording or did so, those that are as they should be first.
    pub async fn held_copies(&self, id: RecordingId) -> Result<Vec<HeldCopy>> {
        during("look for copies of a recording", async {
            let rows: Vec<(String, String, i64)> = sqlx::query_as(HELD_COPIES)
                .bind(id.to_string())
                .fetch_all(self.read())
                .await?;
            let copies = rows.into_iter();
            let held = copies.map(|(target, key, bytes)| HeldCopy {
                target,
                key,
                bytes: bytes.cast_unsigned(),
            });
            Ok(held.collect())
        })
        .await
    }

    /// A recording that someone wants on the disk; `None`: it is unknown.
    pub async fn fetchable(&self, id: RecordingId) -> Result<Option<Fetchable>> {
        during("look for a recording to fetch", async {
            let row = sqlx::query(READ_FETCHABLE)
                .bind(id.to_string())
                .fetch_optional(self.read())
                .await?;
            let Some(row) = row else { return Ok(None) };
            let state: String = row.try_get("state")?;
            let archived = if state == "archived" {
                Some(ArchivedFile {
                    path: row.try_get("path")?,
                    bytes: bytes(&row, "archived_bytes")?.unwrap_or(0),
                    sha256: row.try_get("sha256")?,
                    evicted: row.try_get("evicted")?,
                })
            } else {
                None
            };
            Ok(Some(Fetchable {
                id,
                archived,
                state,
            }))
        })
        .await
    }

    /// Whether only copies are left of an archived recording.
    pub async fn is_evicted(&self, id: RecordingId) -> Result<bool> {
        during("look for an evicted recording", async {
            let query = sqlx::query_scalar(IS_EVICTED).bind(id.to_string());
            Ok(query.fetch_one(self.read()).await?)
        })
        .await
    }

    /// Notes that an evicted file is on the disk again, durably.
    pub async fn fetched(&self, id: RecordingId, from: &str, now: DateTime<Utc>) -> Result<()> {
        during("note a fetched file", async {
            let (now, text) = (time::to_text(now), id.to_string());
            let mut tx = self.write().await?;
            let done = sqlx::query(NOTE_FETCHED)
                .bind(&text)
                .bind(&now)
                .execute(on(&mut tx))
                .await?;
            exactly_one(&done, id, "archived, evicted")?;
            sqlx::query(KEEP_FETCHED)
                .bind(&text)
                .bind(&now)
                .execute(on(&mut tx))
                .await?;
            let event = format!("its file is on the disk again, from {from}");
            add_event(&mut tx, &now, "fetched", Some(id), &event).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Makes evicted recordings damaged whose last copy is gone: they are downloaded again while SignalWire has them.
    /// Returns them.
    pub async fn note_nowhere(&self, now: DateTime<Utc>) -> Result<Vec<RecordingId>> {
        during("look for recordings without any copy", async {
            let ids: Vec<String> = sqlx::query_scalar(NOWHERE).fetch_all(self.read()).await?;
            let ids: Result<Vec<_>> = ids.iter().map(|id| recording_id(id)).collect();
            let ids = ids?;
            if ids.is_empty() {
                return Ok(ids);
            }
            let now = time::to_text(now);
            let mut tx = self.write().await?;
            for id in &ids {
                sqlx::query(NOTE_NOWHERE)
                    .bind(id.to_string())
                    .bind(&now)
                    .execute(on(&mut tx))
                    .await?;
                let text = "the evicted file has no copy any more";
                add_event(&mut tx, &now, "damage", Some(*id), text).await?;
            }
            tx.commit().await?;
            Ok(ids)
        })
        .await
    }
}

fn evictable(row: &SqliteRow) -> Result<Evictable> {
    Ok(Evictable {
        row: row.try_get("row")?,
        id: recording_id(row.try_get("id")?)?,
        path: row.try_get("path")?,
        bytes: bytes(row, "archived_bytes")?.unwrap_or(0),
        sha256: row.try_get("sha256")?,
        sidecar_sha256: row.try_get("sidecar_sha256")?,
        key: row.try_get("key")?,
        etag: row.try_get("etag")?,
        place: row.try_get("place")?,
    })
}
