//! What each attempt comes to. Attempts that end while another's end is being written down share the next
//! transaction: what makes one recording's state durable costs no more for ten of them.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::sqlite::SqliteQueryResult;
use sqlx::{Sqlite, Transaction};
use tokio::sync::oneshot;

use super::claim::Claim;
use super::ending::{Ending, Landed, Retry, Tally, WaitsFor};
use super::ends::End;
use crate::model::{Concern, ConcernKind, EventType, time};
use crate::store::outbox::recording_event;
use crate::store::rows::statements;
use crate::store::{Error, Result, Store, during, exactly_one, on};

statements! {
    END_ATTEMPT = "UPDATE attempt SET ended_at = ?, from_byte = ?, bytes = ?, http_status = ?, outcome = ?, error = ?
         WHERE recording_id = ? AND number = ?";
    DROP_OLD_ATTEMPT = "DELETE FROM attempt WHERE recording_id = ? AND number <= ?";
    NOTE_ARCHIVED = "UPDATE recording SET state = 'archived', path = ?2, archived_bytes = ?3, sha256 = ?4,
            archived_at = ?5, verified_at = ?5, concerns = ?6, damage = NULL, retries = 0,
            pending_since = NULL, next_attempt_at = NULL, waits_for = NULL, last_error = NULL,
            part_bytes = 0, part_validator = NULL, part_total = NULL,
            doubted_sha256 = NULL, doubted_bytes = NULL, doubted_validator = NULL
         WHERE id = ?1 AND state = 'downloading'";
    FORGET_STRAY = "DELETE FROM stray WHERE recording_id = ?";
    FORGET_CONCERNS = "DELETE FROM concern WHERE recording_id = ?";
    ADD_CONCERN = "INSERT INTO concern (recording_id, kind, detail, noted_at) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET detail = detail || '; ' || excluded.detail";
    RELEASE = "UPDATE recording SET state = iif(damage IS NULL, 'pending', 'damaged'), attempts = attempts - 1,
         next_attempt_at = ?2, waits_for = ?3, media_host = coalesce(?4, media_host),
         last_error = coalesce(?5, last_error) WHERE id = ?1 AND state = 'downloading'";
    DROP_ATTEMPT = "DELETE FROM attempt WHERE recording_id = ? AND number = ?";
    NOTE_GONE = "UPDATE recording SET state = iif(damage IS NULL, 'lost', 'damaged'),
         pending_since = iif(damage IS NULL, NULL, pending_since),
         upstream_gone_at = coalesce(upstream_gone_at, ?2), next_attempt_at = iif(damage IS NULL, NULL, ?3),
         last_error = coalesce(?4, last_error) WHERE id = ?1 AND state = 'downloading'";
    NOTE_STOPPED = "UPDATE recording SET state = iif(damage IS NULL, 'pending', 'damaged'), next_attempt_at = NULL
         WHERE id = ?1 AND state = 'downloading'";
    NOTE_RETRY = "UPDATE recording SET state = iif(damage IS NULL, 'pending', 'damaged'), next_attempt_at = ?2,
            waits_for = ?3, media_host = coalesce(?4, media_host), last_error = coalesce(?5, last_error),
            retries = iif(?6, 0, retries + 1), doubted_sha256 = coalesce(?7, doubted_sha256),
            doubted_bytes = coalesce(?8, doubted_bytes),
            doubted_validator = iif(?7 IS NULL, doubted_validator, ?9)
         WHERE id = ?1 AND state = 'downloading'";
}

/// How long a damaged recording rests that SignalWire no longer has.
const REST: TimeDelta = TimeDelta::days(1);
/// Attempts kept of each recording: a year of trouble must not fill the disk.
const KEPT: u32 = 20;

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
        during("end a download", async {
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
        })
        .await
    }

    async fn write_ends(&self, mut ends: Vec<End>) {
        match self.write_together(&ends).await {
            Ok(refused) => {
                for (end, refused) in ends.into_iter().zip(refused) {
                    _ = end.written.send(refused.map_or(Ok(()), Err));
                }
            }
            Err(error) if ends.len() == 1 => {
                _ = ends.remove(0).written.send(Err(error));
            }
            // Nothing of it is written. Each for itself, so that each hears of its own failure alone.
            Err(_) => {
                for end in ends {
                    let alone = self.write_together(std::slice::from_ref(&end)).await;
                    let refused = alone.map(|refused| refused.into_iter().flatten().next());
                    let result = refused.and_then(|refused| refused.map_or(Ok(()), Err));
                    _ = end.written.send(result);
                }
            }
        }
    }

    /// One transaction for all. Returns the guard that refused an end, if one did: it leaves the others be.
    async fn write_together(&self, ends: &[End]) -> Result<Vec<Option<Error>>> {
        let mut tx = self.write().await?;
        let mut refused = Vec::with_capacity(ends.len());
        for end in ends {
            match end_one(&mut tx, end).await {
                Ok(()) => refused.push(None),
                Err(error @ Error::Guard { .. }) => refused.push(Some(error)),
                Err(error) => return Err(error),
            }
        }
        tx.commit().await?;
        Ok(refused)
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
        Ending::Released { at, waits_for } => {
            released(tx, claim, *at, *waits_for, tally).await?;
        }
        _ => not_archived(tx, claim, ending, tally, *at).await?,
    }
    let Some(outcome) = ending.outcome() else {
        return Ok(());
    };
    sqlx::query(END_ATTEMPT)
        .bind(time::to_text(*at))
        .bind(tally.from_byte.cast_signed())
        .bind(tally.bytes.cast_signed())
        .bind(tally.http_status)
        .bind(outcome.as_str())
        .bind(&tally.error)
        .bind(claim.id.to_string())
        .bind(claim.attempt)
        .execute(on(tx))
        .await?;
    if claim.attempt > KEPT {
        sqlx::query(DROP_OLD_ATTEMPT)
            .bind(claim.id.to_string())
            .bind(claim.attempt - KEPT)
            .execute(on(tx))
            .await?;
    }
    Ok(())
}

async fn archived(
    tx: &mut Transaction<'static, Sqlite>,
    claim: &Claim,
    landed: &Landed,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut kinds: Vec<_> = landed.concerns.iter().map(|one| one.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let kinds: Vec<_> = kinds.into_iter().map(ConcernKind::as_str).collect();
    let done = sqlx::query(NOTE_ARCHIVED)
        .bind(claim.id.to_string())
        .bind(&landed.path)
        .bind(landed.bytes.cast_signed())
        .bind(&landed.sha256)
        .bind(time::to_text(now))
        .bind((!kinds.is_empty()).then(|| kinds.join(",")))
        .execute(on(tx))
        .await?;
    exactly_one(&done, claim.id, "downloading")?;
    note_concerns(tx, claim, &landed.concerns, now).await?;
    sqlx::query(FORGET_STRAY)
        .bind(claim.id.to_string())
        .execute(on(tx))
        .await?;
    let kind = match claim.damaged {
        Some(_) => EventType::RecordingRepaired,
        None => EventType::RecordingArchived,
    };
    recording_event(tx, kind, claim.id, now).await?;
    if !kinds.is_empty() {
        recording_event(tx, EventType::RecordingConcern, claim.id, now).await?;
    }
    Ok(())
}

/// The concerns of the file that is archived now, in the place of those of one before it. Two of a kind are one row.
async fn note_concerns(
    tx: &mut Transaction<'static, Sqlite>,
    claim: &Claim,
    concerns: &[Concern],
    now: DateTime<Utc>,
) -> Result<()> {
    if claim.damaged.is_some() {
        sqlx::query(FORGET_CONCERNS)
            .bind(claim.id.to_string())
            .execute(on(tx))
            .await?;
    }
    for concern in concerns {
        sqlx::query(ADD_CONCERN)
            .bind(claim.id.to_string())
            .bind(concern.kind.as_str())
            .bind(&concern.detail)
            .bind(time::to_text(now))
            .execute(on(tx))
            .await?;
    }
    Ok(())
}

async fn released(
    tx: &mut Transaction<'static, Sqlite>,
    claim: &Claim,
    at: DateTime<Utc>,
    waits_for: Option<WaitsFor>,
    tally: &Tally,
) -> Result<()> {
    let done = sqlx::query(RELEASE)
        .bind(claim.id.to_string())
        .bind(time::to_text(at))
        .bind(waits_for.map(WaitsFor::as_str))
        .bind(&tally.media_host)
        .bind(&tally.error)
        .execute(on(tx))
        .await?;
    exactly_one(&done, claim.id, "downloading")?;
    sqlx::query(DROP_ATTEMPT)
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
    let done = match ending {
        Ending::Retry(retry) => retried(tx, claim, retry, tally).await?,
        Ending::Gone => {
            // A damaged recording stays damaged: without a rest it would be claimed again at once.
            sqlx::query(NOTE_GONE)
                .bind(claim.id.to_string())
                .bind(time::to_text(now))
                .bind(time::to_text(now + REST))
                .bind(&tally.error)
                .execute(on(tx))
                .await?
        }
        _ => {
            sqlx::query(NOTE_STOPPED)
                .bind(claim.id.to_string())
                .execute(on(tx))
                .await?
        }
    };
    exactly_one(&done, claim.id, "downloading")?;
    // A damaged recording stays damaged, and that was reported.
    if matches!(ending, Ending::Gone) && claim.damaged.is_none() {
        recording_event(tx, EventType::RecordingLost, claim.id, now).await?;
    }
    Ok(())
}

async fn retried(
    tx: &mut Transaction<'static, Sqlite>,
    claim: &Claim,
    retry: &Retry,
    tally: &Tally,
) -> Result<SqliteQueryResult> {
    let doubt = retry.doubt.as_ref();
    Ok(sqlx::query(NOTE_RETRY)
        .bind(claim.id.to_string())
        .bind(time::to_text(retry.at))
        .bind(retry.waits_for.map(WaitsFor::as_str))
        .bind(&tally.media_host)
        .bind(&tally.error)
        .bind(retry.progress)
        .bind(doubt.map(|doubt| &doubt.sha256))
        .bind(doubt.map(|doubt| doubt.bytes.cast_signed()))
        .bind(doubt.and_then(|doubt| doubt.validator.as_deref()))
        .execute(on(tx))
        .await?)
}
