//! What each attempt comes to. Attempts that end while another's end is being written down share the next
//! transaction: what makes one recording's state durable costs no more for ten of them.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Sqlite, Transaction};
use tokio::sync::oneshot;

use super::downloads::Claim;
use super::{Error, Result, Store, exactly_one, on};
use crate::model::time;

/// How long a damaged recording rests that can't be fetched for now.
const REST: TimeDelta = TimeDelta::days(1);

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

/// Ends that wait to be written down. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Ends {
    waiting: Arc<Mutex<Vec<End>>>,
    /// Held by who writes for all that wait.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct End {
    claim: Claim,
    ending: Ending,
    tally: Tally,
    at: DateTime<Utc>,
    written: oneshot::Sender<Result<()>>,
}

impl Store {
    /// Ends an attempt: the one transaction that makes a recording archived, or says what is next. It
    /// may end other attempts as well; a failure of theirs does not matter to this one.
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
        let (written, answer) = oneshot::channel();
        let (claim, ending, tally) = (claim.clone(), ending.clone(), tally.clone());
        self.ends.push(End {
            claim,
            ending,
            tally,
            at: now,
            written,
        });
        {
            let _turn = self.ends.turn.lock().await;
            // Empty if another has written this one's with its own.
            let ends = self.ends.take();
            if !ends.is_empty() {
                self.write_ends(ends).await;
            }
        }
        // Nobody answers if the one that wrote for all was dropped half-way; nothing is written then.
        answer.await.unwrap_or(Err(Error::Interrupted))
    }

    async fn write_ends(&self, mut ends: Vec<End>) {
        match self.write_together(&ends).await {
            Ok(results) => {
                for (end, result) in ends.into_iter().zip(results) {
                    _ = end.written.send(result);
                }
            }
            Err(error) if ends.len() == 1 => {
                _ = ends.remove(0).written.send(Err(error));
            }
            // Nothing of it is written. Each for itself, so that each hears of its own failure alone.
            Err(_) => {
                for end in ends {
                    let alone = self.write_together(std::slice::from_ref(&end)).await;
                    let result = alone.and_then(|results| results.into_iter().collect());
                    _ = end.written.send(result);
                }
            }
        }
    }

    /// One transaction for all. A guard that refuses one of them leaves the others be.
    async fn write_together(&self, ends: &[End]) -> Result<Vec<Result<()>>> {
        let mut tx = self.write().await?;
        let mut results = Vec::with_capacity(ends.len());
        for end in ends {
            match end_one(&mut tx, end).await {
                Err(error) if !matches!(error, Error::Guard { .. }) => return Err(error),
                result => results.push(result),
            }
        }
        tx.commit().await?;
        Ok(results)
    }
}

impl Ends {
    fn push(&self, end: End) {
        self.lock().push(end);
    }

    fn take(&self) -> Vec<End> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<End>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn end_one(tx: &mut Transaction<'static, Sqlite>, end: &End) -> Result<()> {
    let End {
        claim,
        ending,
        tally,
        at,
        ..
    } = end;
    match ending {
        Ending::Archived(landed) => archived(tx, claim, landed, *at).await?,
        Ending::Released { at } => released(tx, claim, *at, tally).await?,
        _ => not_archived(tx, claim, ending, tally, *at).await?,
    }
    let Some(outcome) = ending.outcome() else {
        return Ok(());
    };
    sqlx::query(
        "UPDATE attempt SET ended_at = ?, from_byte = ?, bytes = ?, http_status = ?, outcome = ?, error = ?
         WHERE recording_id = ? AND number = ?",
    )
    .bind(time::to_text(*at))
    .bind(tally.from_byte.cast_signed())
    .bind(tally.bytes.cast_signed())
    .bind(tally.http_status)
    .bind(outcome)
    .bind(&tally.error)
    .bind(claim.id.to_string())
    .bind(claim.attempt)
    .execute(on(tx))
    .await?;
    Ok(())
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
