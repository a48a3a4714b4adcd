//! What is due: claimed, awaited, woken.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tokio_util::sync::CancellationToken;

use super::claim::{Claim, Doubt, Order, Part};
use crate::model::time;
use crate::store::rows::{at, bytes, json, recording_id, statements};
use crate::store::{LONGEST_WAIT, Result, Store, during, on};

statements! {
    READ_CLAIMS = "SELECT r.*, s.room_name, (SELECT path FROM stray WHERE recording_id = r.id LIMIT 1) AS stray
         FROM json_each(?) due CROSS JOIN recording r ON r.id = due.value LEFT JOIN session s ON s.id = r.session_id
         WHERE r.state IN ('pending', 'damaged') ORDER BY due.key";
    MARK_DOWNLOADING = "UPDATE recording SET state = 'downloading', attempts = attempts + 1, waits_for = NULL
         WHERE id IN (SELECT value FROM json_each(?))";
    BEGIN_ATTEMPTS = "INSERT INTO attempt (recording_id, number, started_at)
         SELECT r.id, r.attempts, ?2 FROM json_each(?1) due CROSS JOIN recording r ON r.id = due.value";
    NEXT_DUE = "SELECT next_attempt_at FROM recording INDEXED BY recording_next
         WHERE state IN ('pending', 'damaged') AND next_attempt_at IS NOT NULL AND waits_for IS NULL
         ORDER BY next_attempt_at LIMIT 1";
    WAKE_FOR_SPACE = "UPDATE recording SET next_attempt_at = NULL, waits_for = NULL WHERE row IN
         (SELECT row FROM recording INDEXED BY recording_waits WHERE waits_for = 'space')";
    WAITING_FOR_RECOVERY = "SELECT row FROM recording INDEXED BY recording_waits
         WHERE waits_for = 'recovery' AND (media_host IS NULL OR media_host = ?1)
         ORDER BY retries, started_at LIMIT ?2";
    WAKE_AFTER_RECOVERY = "UPDATE recording SET waits_for = NULL, next_attempt_at = min(next_attempt_at,
            strftime('%Y-%m-%dT%H:%M:%fZ', ?2, min(60, retries * ?3) || ' seconds'))
         WHERE row IN (SELECT value FROM json_each(?1)) AND +waits_for = 'recovery'";
    IS_ANY_LEFT = "SELECT EXISTS (SELECT 1 FROM recording INDEXED BY recording_state WHERE state IN ('pending', 'damaged')
             AND (next_attempt_at IS NULL OR next_attempt_at <= ?1))
         OR ?2 AND EXISTS (SELECT 1 FROM recording INDEXED BY recording_waits WHERE waits_for = 'recovery')";
    IS_ANY_ON_HOST = "SELECT EXISTS (SELECT 1 FROM recording INDEXED BY recording_state
         WHERE state IN ('pending', 'downloading', 'damaged') AND media_host = ?)";
}

/// Which of the due recordings.
#[derive(Clone, Copy)]
enum Due {
    /// Each.
    All,
    /// Those that have not failed.
    Untried,
}

impl Store {
    /// Claims up to `limit` due recordings, and begins an attempt for each; none once `stop` is cancelled. That is
    /// looked at within the transaction: a download that `stop` has ended is due again at once.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database fails; then nothing is claimed.
    pub async fn claim(
        &self,
        limit: u32,
        order: Order,
        now: DateTime<Utc>,
        stop: &CancellationToken,
    ) -> Result<Vec<Claim>> {
        during("claim recordings", async {
            self.claim_of(Due::All, limit, order, now, stop).await
        })
        .await
    }

    /// Claims one due recording while downloads fail one after another: one that was not tried yet, if there is any,
    /// else one whose time has come.
    ///
    /// # Errors
    /// As [`Store::claim`].
    pub async fn claim_trial(
        &self,
        order: Order,
        now: DateTime<Utc>,
        stop: &CancellationToken,
    ) -> Result<Vec<Claim>> {
        during("claim a recording", async {
            let untried = self.claim_of(Due::Untried, 1, order, now, stop).await?;
            if untried.is_empty() {
                self.claim_of(Due::All, 1, order, now, stop).await
            } else {
                Ok(untried)
            }
        })
        .await
    }

    async fn claim_of(
        &self,
        due: Due,
        limit: u32,
        order: Order,
        now: DateTime<Utc>,
        stop: &CancellationToken,
    ) -> Result<Vec<Claim>> {
        let order = match order {
            Order::OldestFirst => "",
            Order::NewestFirst => "DESC",
        };
        let due = match due {
            Due::All => "OR next_attempt_at <= ?1 OR next_attempt_at > ?3",
            Due::Untried => "",
        };
        // Each half in the order of the index, so that nothing is sorted however much is due.
        let half = |state: &str| {
            format!(
                "SELECT * FROM (SELECT id, started_at FROM recording INDEXED BY recording_state
                 WHERE state = '{state}' AND (next_attempt_at IS NULL {due})
                 ORDER BY started_at {order} LIMIT ?2)"
            )
        };
        let due = format!(
            "SELECT id FROM ({} UNION ALL {}) ORDER BY started_at {order} LIMIT ?2",
            half("pending"),
            half("damaged")
        );
        // Looked for without the write lock: a quiet daemon writes nothing. What follows looks again.
        let ids: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(due))
            .bind(time::to_text(now))
            .bind(limit)
            .bind(time::to_text(now + LONGEST_WAIT))
            .fetch_all(self.read())
            .await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.write().await?;
        if stop.is_cancelled() {
            return Ok(Vec::new());
        }
        // CROSS: without it SQLite goes through all that are pending, and for each through the ids.
        let claims = sqlx::query(READ_CLAIMS)
            .bind(json(&ids)?)
            .fetch_all(on(&mut tx))
            .await?
            .iter()
            .map(claimed)
            .collect::<Result<Vec<Claim>>>()?;
        let ids: Vec<String> = claims.iter().map(|claim| claim.id.to_string()).collect();
        let ids = json(&ids)?;
        sqlx::query(MARK_DOWNLOADING)
            .bind(&ids)
            .execute(on(&mut tx))
            .await?;
        sqlx::query(BEGIN_ATTEMPTS)
            .bind(&ids)
            .bind(time::to_text(now))
            .execute(on(&mut tx))
            .await?;
        tx.commit().await?;
        Ok(claims)
    }

    /// When the next recording is due that waits for nothing but its time: for when all that was due is claimed.
    pub async fn next_due(&self) -> Result<Option<DateTime<Utc>>> {
        during("look for the next recording that is due", async {
            let next: Option<String> = sqlx::query_scalar(NEXT_DUE)
                .fetch_optional(self.read())
                .await?
                .flatten();
            Ok(next.as_deref().and_then(time::parse))
        })
        .await
    }

    /// Makes the recordings due that wait for space on the archive's disk.
    pub async fn wake_for_space(&self) -> Result<()> {
        during("make recordings due that wait for space", async {
            let mut tx = self.write().await?;
            sqlx::query(WAKE_FOR_SPACE).execute(on(&mut tx)).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Makes up to `limit` recordings due that failed while `host` did, or before they had a link: those that failed
    /// least, each `delay` (a minute at the most) times its failures from `now` on: what keeps failing for a reason
    /// of its own must not be tried at each recovery. Returns how many.
    pub async fn wake_after_recovery(
        &self,
        host: &str,
        limit: u32,
        now: DateTime<Utc>,
        delay: Duration,
    ) -> Result<u64> {
        during("make recordings due after a recovery", async {
            // A quiet daemon writes nothing.
            let rows: Vec<i64> = sqlx::query_scalar(WAITING_FOR_RECOVERY)
                .bind(host)
                .bind(limit)
                .fetch_all(self.read())
                .await?;
            if rows.is_empty() {
                return Ok(0);
            }
            let mut tx = self.write().await?;
            let woken = sqlx::query(WAKE_AFTER_RECOVERY)
                .bind(json(&rows)?)
                .bind(time::to_text(now))
                .bind(delay.as_secs().cast_signed())
                .execute(on(&mut tx))
                .await?;
            tx.commit().await?;
            Ok(woken.rows_affected())
        })
        .await
    }

    /// Whether recordings are due by `soon`, or (with `probe`) wait for a host to recover.
    pub async fn is_any_left(&self, soon: DateTime<Utc>, probe: bool) -> Result<bool> {
        during("look for what is left", async {
            Ok(sqlx::query_scalar(IS_ANY_LEFT)
                .bind(time::to_text(soon))
                .bind(probe)
                .fetch_one(self.read())
                .await?)
        })
        .await
    }

    /// Whether recordings are left whose last link led to `host`.
    pub async fn is_any_on_host(&self, host: &str) -> Result<bool> {
        during("look for recordings of a media host", async {
            Ok(sqlx::query_scalar(IS_ANY_ON_HOST)
                .bind(host)
                .fetch_one(self.read())
                .await?)
        })
        .await
    }
}

fn claimed(row: &SqliteRow) -> Result<Claim> {
    let session: Option<String> = row.try_get("session_id")?;
    let damage: Option<String> = row.try_get("damage")?;
    let path: Option<String> = row.try_get("path")?;
    let sha256: Option<String> = row.try_get("sha256")?;
    Ok(Claim {
        id: recording_id(row.try_get("id")?)?,
        session_id: session.and_then(|id| id.parse().ok()),
        room_name: row.try_get("room_name")?,
        started_at: at(row, "started_at")?,
        duration_seconds: row.try_get("duration_seconds")?,
        size_bytes: bytes(row, "size_bytes")?,
        format: row.try_get("format")?,
        attempt: row.try_get::<u32, _>("attempts")? + 1,
        retries: row.try_get("retries")?,
        media_host: row.try_get("media_host")?,
        last_error: row.try_get("last_error")?,
        doubt: match (row.try_get("doubted_sha256")?, bytes(row, "doubted_bytes")?) {
            (Some(sha256), Some(bytes)) => Some(Doubt {
                sha256,
                bytes,
                validator: row.try_get("doubted_validator")?,
            }),
            _ => None,
        },
        part: Part {
            bytes: bytes(row, "part_bytes")?.unwrap_or(0),
            validator: row.try_get("part_validator")?,
            total: bytes(row, "part_total")?,
        },
        damaged: damage.and(path.zip(sha256)),
        stray: row.try_get("stray")?,
    })
}
