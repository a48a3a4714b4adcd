//! The archived files as rows: what lies on the disk compared with what is known, and what to read again.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Row as _, Sqlite};

use crate::model::{EventType, RecordingId, time};
use crate::store::meta::add_event;
use crate::store::outbox::{damaged_events, recording_event};
use crate::store::rows::{json, recording_id, statements};
use crate::store::{Result, Store, during, on};

statements! {
    ADD_FOUND = "INSERT OR REPLACE INTO temp.found
         SELECT value ->> 'path', value ->> 'bytes', value ->> 'id' FROM json_each(?)";
    INVENTORY_UNREAD = "INSERT OR IGNORE INTO temp.found
         SELECT path, archived_bytes, NULL FROM recording
         WHERE +state = 'archived' AND evicted_at IS NULL AND (path = ?1 OR (path >= ?2 AND path < ?3))
         UNION ALL SELECT path, NULL, NULL FROM stray
         WHERE path = ?1 OR (path >= ?2 AND path < ?3)
         UNION ALL SELECT r.path || '.json', s.bytes, NULL FROM recording r JOIN sidecar s ON s.recording = r.row AND s.place = ''
         WHERE r.path || '.json' = ?1 OR r.path = ?1 OR (r.path >= ?2 AND r.path < ?3)";
    DROP_INVENTORY = "PRAGMA temp_store = MEMORY";
    NOTE_DAMAGE_FOUND = "INSERT INTO event (at, kind, recording_id, text)
         SELECT ?, 'damage', r.id, 'the archived file is ' || iif(f.path IS NULL, 'missing', 'altered')
         FROM recording r LEFT JOIN temp.found f ON f.path = r.path
         WHERE r.state = 'archived' AND r.evicted_at IS NULL AND f.bytes IS NOT r.archived_bytes";
    MARK_DAMAGED = "UPDATE recording AS r SET state = 'damaged', next_attempt_at = NULL, retries = 0, pending_since = ?,
            damage = iif(EXISTS (SELECT 1 FROM temp.found f WHERE f.path = r.path), 'altered', 'missing')
         WHERE state = 'archived' AND evicted_at IS NULL
           AND archived_bytes IS NOT (SELECT f.bytes FROM temp.found f WHERE f.path = r.path)";
    ADD_STRAYS = "INSERT OR IGNORE INTO stray (path, recording_id)
         SELECT f.path, f.id FROM temp.found f WHERE f.id IS NOT NULL AND f.path NOT GLOB '*.json'
           AND NOT EXISTS (SELECT 1 FROM recording r WHERE r.path = f.path AND r.state = 'archived')";
    SIDECARS_MISSING = "UPDATE sidecar AS s SET due = due + 1 WHERE s.place = '' AND s.due = 0
         AND EXISTS (SELECT 1 FROM recording r WHERE r.row = s.recording AND r.state = 'archived' AND r.evicted_at IS NULL
            AND s.bytes IS NOT (SELECT f.bytes FROM temp.found f WHERE f.path = r.path || '.json'))";
    FORGET_STRAYS = "DELETE FROM stray WHERE path NOT IN (SELECT path FROM temp.found)";
    FORGET_STRAY = "DELETE FROM stray WHERE path = ?";
    LONGEST_UNVERIFIED = "SELECT id, path, archived_bytes, sha256, verified_at, row FROM recording
         WHERE state = 'archived' AND evicted_at IS NULL AND (verified_at, row) > (?, ?) AND verified_at < ?
         ORDER BY verified_at, row LIMIT 1";
    VERIFIABLE_FILE = "SELECT id, path, archived_bytes, sha256, verified_at, row FROM recording
         WHERE state = 'archived' AND evicted_at IS NULL AND id = ?";
    NOTE_SOUND = "UPDATE recording SET verified_at = ? WHERE id = ? AND state = 'archived' AND evicted_at IS NULL";
    NOTE_DAMAGED = "UPDATE recording SET state = 'damaged', damage = ?, next_attempt_at = NULL, retries = 0,
         pending_since = ? WHERE id = ? AND state = 'archived' AND evicted_at IS NULL";
}

/// A file found in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Relative to the archive.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// The recording in its name.
    #[serde(serialize_with = "as_text")]
    pub id: Option<RecordingId>,
}

/// What a comparison of disk and rows found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// Archived files that are missing or altered.
    pub damaged: u64,
    /// Files of recordings that have no row, to be adopted.
    pub strays: u64,
    /// Sidecars that are missing or altered.
    pub sidecars: u64,
}

/// An archived file to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Verifiable {
    pub id: RecordingId,
    /// Where, relative to the archive.
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
    /// Its place in the order of verification.
    verified_at: String,
    row: i64,
}

impl Store {
    /// Begins to hold the files of the archive against the rows.
    pub async fn begin_inventory(&self) -> Result<()> {
        during("begin the comparison with the files", async {
        sqlx::raw_sql(
            // There may be a million: in a file, not in memory.
            "PRAGMA temp_store = FILE;
             CREATE TEMP TABLE IF NOT EXISTS found (path TEXT PRIMARY KEY, bytes INTEGER, id TEXT) WITHOUT ROWID;
             DELETE FROM temp.found",
        )
        .execute(&self.writer)
        .await?;
        Ok(())
        })
        .await
    }

    /// Notes a batch of files found.
    pub async fn inventory(&self, files: &[Found]) -> Result<()> {
        during("compare files", async {
            sqlx::query(ADD_FOUND)
                .bind(json(files)?)
                .execute(&self.writer)
                .await?;
            Ok(())
        })
        .await
    }

    /// Counts what the rows know of a directory, or a file, that could not be looked at as found there: nothing
    /// is concluded about it. Empty: everything.
    pub async fn inventory_unread(&self, path: &str) -> Result<()> {
        during("note a directory that could not be read", async {
            // '0' comes after '/': between the two is what lies in the directory.
            let (from, to) = if path.is_empty() {
                (String::new(), char::MAX.to_string())
            } else {
                (format!("{path}/"), format!("{path}0"))
            };
            sqlx::query(INVENTORY_UNREAD)
                .bind(path)
                .bind(from)
                .bind(to)
                .execute(&self.writer)
                .await?;
            Ok(())
        })
        .await
    }

    /// Ends without a conclusion.
    pub async fn drop_inventory(&self) -> Result<()> {
        during("end the comparison with the files", async {
            // As it was opened; this drops the table, too.
            sqlx::raw_sql(DROP_INVENTORY).execute(&self.writer).await?;
            Ok(())
        })
        .await
    }

    /// Draws the conclusions: archived rows without their file, or with one of another length, become
    /// damaged; files that have a recording's id in their name but no row are kept for adoption; sidecars that are
    /// missing or altered are to be written again.
    pub async fn end_inventory(&self, now: DateTime<Utc>) -> Result<Compared> {
        during("end the comparison with the files", async {
            let now = time::to_text(now);
            let mut tx = self.write().await?;
            sqlx::query(NOTE_DAMAGE_FOUND)
                .bind(&now)
                .execute(on(&mut tx))
                .await?;
            let damaged = sqlx::query(MARK_DAMAGED)
                .bind(&now)
                .execute(on(&mut tx))
                .await?;
            if damaged.rows_affected() > 0 {
                damaged_events(&mut tx, &now).await?;
            }
            let strays = sqlx::query(ADD_STRAYS).execute(on(&mut tx)).await?;
            sqlx::query(FORGET_STRAYS).execute(on(&mut tx)).await?;
            let sidecars = sqlx::query(SIDECARS_MISSING).execute(on(&mut tx)).await?;
            tx.commit().await?;
            self.drop_inventory().await?;
            Ok(Compared {
                damaged: damaged.rows_affected(),
                strays: strays.rows_affected(),
                sidecars: sidecars.rows_affected(),
            })
        })
        .await
    }

    /// Forgets a file that was to be adopted: it did not fit, or is gone.
    pub async fn forget_stray(&self, path: &str) -> Result<()> {
        during("forget a file", async {
            let mut tx = self.write().await?;
            sqlx::query(FORGET_STRAY)
                .bind(path)
                .execute(on(&mut tx))
                .await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// The archived file verified longest ago, after `after` in that order, unless verified since `since`.
    pub async fn longest_unverified(
        &self,
        since: DateTime<Utc>,
        after: Option<&Verifiable>,
    ) -> Result<Option<Verifiable>> {
        during("look for files to verify", async {
            let (verified_at, row) = after.map_or(("", 0), |after| (&after.verified_at, after.row));
            let query = sqlx::query(LONGEST_UNVERIFIED);
            let query = query.bind(verified_at).bind(row);
            self.verifiable(query.bind(time::to_text(since))).await
        })
        .await
    }

    /// The archived file of one recording.
    pub async fn verifiable_file(&self, id: RecordingId) -> Result<Option<Verifiable>> {
        during("look for a file to verify", async {
            let query = sqlx::query(VERIFIABLE_FILE);
            self.verifiable(query.bind(id.to_string())).await
        })
        .await
    }

    async fn verifiable(
        &self,
        query: sqlx::query::Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<Option<Verifiable>> {
        query
            .fetch_optional(self.read())
            .await?
            .map(|row| {
                Ok(Verifiable {
                    id: recording_id(row.try_get("id")?)?,
                    path: row.try_get("path")?,
                    bytes: row.try_get::<i64, _>("archived_bytes")?.cast_unsigned(),
                    sha256: row.try_get("sha256")?,
                    verified_at: row.try_get("verified_at")?,
                    row: row.try_get("row")?,
                })
            })
            .transpose()
    }

    /// Notes what reading a file again came to: `None`, it holds; else what is wrong with it. A row that
    /// is not archived any more is left alone.
    pub async fn verified(
        &self,
        id: RecordingId,
        damage: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        during("note a verified file", async {
            let at = time::to_text(now);
            let mut tx = self.write().await?;
            match damage {
                None => {
                    sqlx::query(NOTE_SOUND)
                        .bind(&at)
                        .bind(id.to_string())
                        .execute(on(&mut tx))
                        .await?;
                }
                Some(damage) => {
                    let done = sqlx::query(NOTE_DAMAGED)
                        .bind(damage)
                        .bind(&at)
                        .bind(id.to_string())
                        .execute(on(&mut tx))
                        .await?;
                    if done.rows_affected() == 1 {
                        recording_event(&mut tx, EventType::RecordingDamaged, id, now).await?;
                        let text = format!("the archived file is {damage}");
                        add_event(&mut tx, &at, "damage", Some(id), &text).await?;
                    }
                }
            }
            Ok(tx.commit().await?)
        })
        .await
    }
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn as_text<S: serde::Serializer>(
    id: &Option<RecordingId>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    id.map(|id| id.to_string()).serialize(serializer)
}
