//! Downloads: claiming what is due, and what each attempt comes to. Every change of state is guarded
//! by the state it starts from and must touch exactly one row.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite, Transaction};

use super::recordings::recording_id;
use super::{Error, Result, Store, exactly_one, on};
use crate::model::{RecordingId, SessionId, time};

/// How long a damaged recording rests that can't be fetched for now.
const REST: TimeDelta = TimeDelta::days(1);

/// Which of the due recordings come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Those that started first.
    OldestFirst,
    /// Those that started last.
    NewestFirst,
}

/// A recording claimed for download, with everything the download needs to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The recording.
    pub id: RecordingId,
    /// Its session.
    pub session_id: Option<SessionId>,
    /// Its room's name.
    pub room_name: Option<String>,
    /// When it started.
    pub started_at: Option<DateTime<Utc>>,
    /// Length in seconds, as the vendor tells it.
    pub duration_seconds: Option<f64>,
    /// Bytes, as the vendor tells it.
    pub size_bytes: Option<u64>,
    /// MIME type.
    pub format: Option<String>,
    /// The number of this attempt: 1 for the first.
    pub attempt: u32,
    /// Attempts in a row that failed for reasons that pass.
    pub retries: u32,
    /// Times its content was wrong.
    pub faults: u32,
    /// What an interrupted attempt left on the disk.
    pub part: Part,
    /// The damaged file that this download replaces: where it lies, and the hash it should have.
    pub damaged: Option<(String, String)>,
    /// A file of this recording that no row tells of, to be adopted if it fits.
    pub stray: Option<String>,
}

/// What is known of a part file: how much of it is durable, and which object it belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Bytes that are durable.
    pub bytes: u64,
    /// The strong validator of the object they came from.
    pub validator: Option<String>,
    /// Length of the whole object.
    pub total: Option<u64>,
}

/// A landed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landed {
    /// Where, relative to the archive.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// It was there already and did not have to be downloaded.
    pub adopted: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The file is durable at its place.
    Archived(Landed),
    /// To be tried again.
    Retry {
        /// Not before then.
        at: DateTime<Utc>,
        /// It counts as evidence that the content is wrong.
        fault: bool,
        /// It brought bytes: the back-off starts again.
        progress: bool,
        /// There was no link.
        no_link: bool,
    },
    /// Its content was wrong too often.
    Failed,
    /// Gone upstream.
    Gone,
    /// No longer completed upstream.
    NotReady,
    /// Ended by a stop of the process: due again at once.
    Stopped,
    /// Never really tried (no room on the disk, a host that asked for patience): leaves no trace.
    Released {
        /// Not before then.
        at: DateTime<Utc>,
    },
}

impl Ending {
    /// The outcome's word in the view `attempts`; `None`: the attempt leaves no trace.
    #[must_use]
    pub fn outcome(&self) -> Option<&'static str> {
        match self {
            Self::Archived(Landed { adopted: true, .. }) => Some("adopted"),
            Self::Archived(_) => Some("archived"),
            Self::Retry { .. } => Some("retry"),
            Self::Failed => Some("failed"),
            Self::Gone => Some("lost"),
            Self::NotReady => Some("not_ready"),
            Self::Stopped => Some("stopped"),
            Self::Released { .. } => None,
        }
    }
}

/// What an attempt did, besides how it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// The byte it went on from.
    pub from_byte: u64,
    /// Bytes received.
    pub bytes: u64,
    /// The media server's last status.
    pub http_status: Option<u16>,
    /// What ended it; never with a link in it.
    pub error: Option<String>,
}

impl Store {
    /// Claims up to `limit` due recordings, and begins an attempt for each.
    ///
    /// # Errors
    /// [`super::Error`], if the database fails; then nothing is claimed.
    pub async fn claim(&self, limit: u32, order: Order, now: DateTime<Utc>) -> Result<Vec<Claim>> {
        let order = match order {
            Order::OldestFirst => "",
            Order::NewestFirst => "DESC",
        };
        // Each half in the order of the index, so that nothing is sorted however much is due.
        let half = |state: &str, more: &str| {
            format!(
                "SELECT * FROM (SELECT id, started_at FROM recording INDEXED BY recording_state
                 WHERE state = '{state}' AND (next_attempt_at IS NULL OR next_attempt_at <= ?1){more}
                 ORDER BY started_at {order} LIMIT ?2)"
            )
        };
        let due = format!(
            "SELECT id FROM ({} UNION ALL {}) ORDER BY started_at {order} LIMIT ?2",
            half("pending", ""),
            half("damaged", " AND upstream_gone_at IS NULL")
        );
        // Looked for without the write lock: a quiet daemon writes nothing. The update below looks again.
        let ids: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(due))
            .bind(time::to_text(now))
            .bind(limit)
            .fetch_all(self.read())
            .await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.write().await?;
        let mut claims = Vec::with_capacity(ids.len());
        for id in ids {
            let taken = sqlx::query(
                "UPDATE recording SET state = 'downloading', attempts = attempts + 1
                 WHERE id = ? AND state IN ('pending', 'damaged')",
            )
            .bind(&id)
            .execute(on(&mut tx))
            .await?;
            if taken.rows_affected() == 0 {
                continue;
            }
            let claim = sqlx::query(
                "SELECT r.*, s.room_name, (SELECT path FROM stray WHERE recording_id = r.id LIMIT 1) AS stray
                 FROM recording r LEFT JOIN session s ON s.id = r.session_id WHERE r.id = ?",
            )
            .bind(&id)
            .fetch_one(on(&mut tx))
            .await
            .map_err(Error::from)
            .and_then(|row| claimed(&row))?;
            sqlx::query("INSERT INTO attempt (recording_id, number, started_at) VALUES (?, ?, ?)")
                .bind(&id)
                .bind(claim.attempt)
                .bind(time::to_text(now))
                .execute(on(&mut tx))
                .await?;
            claims.push(claim);
        }
        tx.commit().await?;
        Ok(claims)
    }

    /// When the next recording falls due, if one waits for its time: for when all that was due is claimed.
    ///
    /// # Errors
    /// [`super::Error`], if the database fails.
    pub async fn next_due(&self) -> Result<Option<DateTime<Utc>>> {
        let next: Option<String> = sqlx::query_scalar(
            "SELECT next_attempt_at FROM recording INDEXED BY recording_next
             WHERE state IN ('pending', 'damaged') AND next_attempt_at IS NOT NULL
               AND NOT (state = 'damaged' AND upstream_gone_at IS NOT NULL)
             ORDER BY next_attempt_at LIMIT 1",
        )
        .fetch_optional(self.read())
        .await?
        .flatten();
        Ok(next.as_deref().and_then(time::parse))
    }

    /// Notes how much of a part is durable, and of which object: where a restart may go on from.
    ///
    /// # Errors
    /// [`Error::Guard`], if the recording is not being downloaded; [`Error`], if the database fails.
    pub async fn part_durable(&self, id: RecordingId, part: &Part) -> Result<()> {
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "UPDATE recording SET part_bytes = ?, part_validator = ?, part_total = ?
             WHERE id = ? AND state = 'downloading'",
        )
        .bind(part.bytes.cast_signed())
        .bind(&part.validator)
        .bind(part.total.map(u64::cast_signed))
        .bind(id.to_string())
        .execute(on(&mut tx))
        .await?;
        exactly_one(&done, id, "downloading")?;
        Ok(tx.commit().await?)
    }

    /// Forgets a part that was discarded.
    ///
    /// # Errors
    /// [`Error`], if the database fails.
    pub async fn forget_part(&self, id: RecordingId) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "UPDATE recording SET part_bytes = 0, part_validator = NULL, part_total = NULL WHERE id = ?",
        )
        .bind(id.to_string())
        .execute(on(&mut tx))
        .await?;
        Ok(tx.commit().await?)
    }

    /// Ends an attempt: the one transaction that makes a recording archived, or says what is next.
    ///
    /// # Errors
    /// [`Error::Guard`], if the recording is not being downloaded; [`Error`], if the database fails.
    pub async fn end_attempt(
        &self,
        claim: &Claim,
        ending: &Ending,
        tally: &Tally,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        match ending {
            Ending::Archived(landed) => archived(&mut tx, claim, landed, now).await?,
            Ending::Released { at } => released(&mut tx, claim, *at, tally).await?,
            _ => not_archived(&mut tx, claim, ending, tally, now).await?,
        }
        let Some(outcome) = ending.outcome() else {
            return Ok(tx.commit().await?);
        };
        sqlx::query(
            "UPDATE attempt SET ended_at = ?, from_byte = ?, bytes = ?, http_status = ?, outcome = ?, error = ?
             WHERE recording_id = ? AND number = ?",
        )
        .bind(time::to_text(now))
        .bind(tally.from_byte.cast_signed())
        .bind(tally.bytes.cast_signed())
        .bind(tally.http_status)
        .bind(outcome)
        .bind(&tally.error)
        .bind(claim.id.to_string())
        .bind(claim.attempt)
        .execute(on(&mut tx))
        .await?;
        Ok(tx.commit().await?)
    }

    /// At start: what was being downloaded when the last process ended is due again.
    ///
    /// # Errors
    /// [`Error`], if the database fails.
    pub async fn recover(&self, now: DateTime<Utc>) -> Result<u64> {
        let now = time::to_text(now);
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "UPDATE recording SET state = iif(damage IS NULL, 'pending', 'damaged') WHERE state = 'downloading'",
        )
        .execute(on(&mut tx))
        .await?;
        for table in ["attempt", "pass"] {
            sqlx::query(sqlx::AssertSqlSafe(format!(
                "UPDATE {table} SET outcome = 'interrupted', ended_at = ? WHERE outcome = 'running'"
            )))
            .bind(&now)
            .execute(on(&mut tx))
            .await?;
        }
        tx.commit().await?;
        Ok(done.rows_affected())
    }
}

async fn archived(
    tx: &mut Transaction<'static, Sqlite>,
    claim: &Claim,
    landed: &Landed,
    now: DateTime<Utc>,
) -> Result<()> {
    let done = sqlx::query(
        "UPDATE recording SET state = 'archived', path = ?2, archived_bytes = ?3, sha256 = ?4,
            archived_at = ?5, verified_at = ?5, damage = NULL, retries = 0, faults = 0,
            next_attempt_at = NULL, last_error = NULL, no_link_since = NULL,
            part_bytes = 0, part_validator = NULL, part_total = NULL
         WHERE id = ?1 AND state = 'downloading'",
    )
    .bind(claim.id.to_string())
    .bind(&landed.path)
    .bind(landed.bytes.cast_signed())
    .bind(&landed.sha256)
    .bind(time::to_text(now))
    .execute(on(tx))
    .await?;
    exactly_one(&done, claim.id, "downloading")?;
    sqlx::query("DELETE FROM stray WHERE recording_id = ?")
        .bind(claim.id.to_string())
        .execute(on(tx))
        .await?;
    Ok(())
}

async fn released(
    tx: &mut Transaction<'static, Sqlite>,
    claim: &Claim,
    at: DateTime<Utc>,
    tally: &Tally,
) -> Result<()> {
    let done = sqlx::query(
        "UPDATE recording SET state = iif(damage IS NULL, 'pending', 'damaged'), attempts = attempts - 1,
            next_attempt_at = ?2, last_error = coalesce(?3, last_error) WHERE id = ?1 AND state = 'downloading'",
    )
    .bind(claim.id.to_string())
    .bind(time::to_text(at))
    .bind(&tally.error)
    .execute(on(tx))
    .await?;
    exactly_one(&done, claim.id, "downloading")?;
    sqlx::query("DELETE FROM attempt WHERE recording_id = ? AND number = ?")
        .bind(claim.id.to_string())
        .bind(claim.attempt)
        .execute(on(tx))
        .await?;
    Ok(())
}

async fn not_archived(
    tx: &mut Transaction<'static, Sqlite>,
    claim: &Claim,
    ending: &Ending,
    tally: &Tally,
    now: DateTime<Utc>,
) -> Result<()> {
    let (retry, fault, progress, no_link) = match ending {
        Ending::Retry {
            at,
            fault,
            progress,
            no_link,
        } => (Some(*at), *fault, *progress, *no_link),
        Ending::Failed => (None, true, false, false),
        _ => (None, false, false, false),
    };
    let rest = matches!(ending, Ending::Failed | Ending::NotReady).then(|| now + REST);
    let state = match ending {
        Ending::Failed => "failed",
        Ending::Gone => "lost",
        Ending::NotReady => "waiting",
        _ => "pending",
    };
    let done = sqlx::query(
        "UPDATE recording SET
            state = CASE WHEN damage IS NULL THEN ?2 ELSE 'damaged' END,
            upstream_gone_at = iif(?2 = 'lost', coalesce(upstream_gone_at, ?3), upstream_gone_at),
            next_attempt_at = coalesce(?4, iif(damage IS NOT NULL, ?9, NULL)), last_error = coalesce(?5, last_error),
            faults = faults + ?6,
            retries = CASE WHEN ?7 THEN 0 WHEN ?4 IS NULL THEN retries ELSE retries + 1 END,
            no_link_since = iif(?8, coalesce(no_link_since, ?3), NULL)
         WHERE id = ?1 AND state = 'downloading'",
    )
    .bind(claim.id.to_string())
    .bind(state)
    .bind(time::to_text(now))
    .bind(retry.map(time::to_text))
    .bind(&tally.error)
    .bind(i64::from(fault))
    .bind(progress)
    .bind(no_link)
    // A damaged recording stays damaged, and due: without a rest it would be claimed again at once.
    .bind(rest.map(time::to_text))
    .execute(on(tx))
    .await?;
    exactly_one(&done, claim.id, "downloading")
}

fn claimed(row: &SqliteRow) -> Result<Claim> {
    let bytes = |column: &str| -> Result<Option<u64>> {
        Ok(row
            .try_get::<Option<i64>, _>(column)?
            .map(i64::cast_unsigned))
    };
    let session: Option<String> = row.try_get("session_id")?;
    let damage: Option<String> = row.try_get("damage")?;
    let path: Option<String> = row.try_get("path")?;
    let sha256: Option<String> = row.try_get("sha256")?;
    Ok(Claim {
        id: recording_id(row.try_get("id")?)?,
        session_id: session.and_then(|id| id.parse().ok()),
        room_name: row.try_get("room_name")?,
        started_at: row
            .try_get::<Option<String>, _>("started_at")?
            .as_deref()
            .and_then(time::parse),
        duration_seconds: row.try_get("duration_seconds")?,
        size_bytes: bytes("size_bytes")?,
        format: row.try_get("format")?,
        attempt: row.try_get("attempts")?,
        retries: row.try_get("retries")?,
        faults: row.try_get("faults")?,
        part: Part {
            bytes: bytes("part_bytes")?.unwrap_or(0),
            validator: row.try_get("part_validator")?,
            total: bytes("part_total")?,
        },
        damaged: damage.and(path.zip(sha256)),
        stray: row.try_get("stray")?,
    })
}
