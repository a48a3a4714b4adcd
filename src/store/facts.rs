//! The facts that health is judged by: few rows by way of an index each, cheap enough to be read every few seconds.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::Row as _;

use super::{CopyFacts, PauseKind};
use crate::model::time;
use crate::store::rows::statements;
use crate::store::{Error, Result, Store, WebhookState, during};

statements! {
    WAITING_FOR_SPACE = "SELECT count(*), min(pending_since) FROM recording INDEXED BY recording_waits WHERE waits_for = 'space'";
    COUNT_STUCK = "SELECT (SELECT count(*) FROM recording INDEXED BY recording_pending WHERE pending_since < ?1)
         - (SELECT count(*) FROM recording INDEXED BY recording_gone
             WHERE state = 'damaged' AND upstream_gone_at IS NOT NULL AND pending_since < ?1)";
    OLDEST_UNARCHIVED = "SELECT pending_since, last_error FROM recording INDEXED BY recording_pending
         WHERE pending_since IS NOT NULL AND (state <> 'damaged' OR upstream_gone_at IS NULL)
         ORDER BY pending_since LIMIT 1";
    UNFINISHED = "SELECT count(*) AS stuck, min(first_seen_at) AS since, upstream_status FROM recording
         WHERE state = 'waiting' AND first_seen_at < ?";
    UNLISTED = "SELECT count(*) AS stuck, min(unlisted_since) AS since, list_error
         FROM session INDEXED BY session_unlisted WHERE unlisted_since < ?";
    GONE = "SELECT count(*) FILTER (WHERE state = 'lost'), count(*) FILTER (WHERE state = 'damaged'),
            min(upstream_gone_at)
         FROM recording INDEXED BY recording_gone
         WHERE state IN ('lost', 'damaged') AND upstream_gone_at IS NOT NULL";
    PAUSES = "SELECT reason, host, error, since FROM pauses ORDER BY since, reason";
    FIRST_PASS = "SELECT started_at FROM pass WHERE kind <> 'verify' ORDER BY id LIMIT 1";
    RUNNING_SWEEP = "SELECT max(started_at) FROM pass WHERE kind = 'sweep' AND outcome = 'running'";
    LAST_PASS = "SELECT outcome, error FROM pass
         WHERE kind <> 'verify' AND outcome IN ('complete', 'incomplete', 'refused')
         ORDER BY id DESC LIMIT 1";
    LAST_COMPLETE_PASS = "SELECT started_at, ended_at FROM pass WHERE kind = ? AND outcome = 'complete'
         ORDER BY started_at DESC LIMIT 1";
    REFUSED_SINCE = "SELECT started_at FROM pass WHERE kind <> 'verify' AND outcome = 'refused' AND id > coalesce(
            (SELECT id FROM pass WHERE kind <> 'verify' AND outcome IN ('complete', 'incomplete')
             ORDER BY id DESC LIMIT 1), 0)
         ORDER BY id LIMIT 1";
}

/// What health depends on, as the database has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Recordings completed upstream that are not archived.
    pub unarchived: Unarchived,
    /// Recordings that are not completed upstream, or of an unknown session, for longer than `poll.stuck_after`.
    pub unfinished: Unfinished,
    /// Sessions whose recordings can't be listed for longer than `poll.stuck_after`.
    pub unlisted: Unlisted,
    /// Recordings that are gone upstream and not archived.
    pub lost: u64,
    /// Archived files that are damaged, and whose recordings are gone upstream.
    pub unrepairable: u64,
    /// Since when the first of the last two is gone.
    pub gone_since: Option<DateTime<Utc>>,
    /// Why downloads do not start now, or only one at a time.
    pub pauses: Vec<Pause>,
    /// Recordings that are put off for lack of space.
    pub no_space: u64,
    /// Since when the first of them should be archived.
    pub no_space_since: Option<DateTime<Utc>>,
    /// How each webhook is doing.
    pub webhooks: Vec<WebhookState>,
    /// `poll.stuck_after`.
    pub stuck_after: Option<TimeDelta>,
    /// Polls and sweeps.
    pub passes: Passes,
    /// Since when the database fails, and why: known to this process alone.
    pub database: Option<(DateTime<Utc>, String)>,
    /// Since when the service can't serve metrics and health, and why.
    pub telemetry: Option<(DateTime<Utc>, String)>,
    /// `archive.min_free_space`, once a configuration was applied.
    pub min_free_space: Option<u64>,
    /// The targets of copies.
    pub copies: Vec<CopyFacts>,
    /// No service works on the archive: the database does not know that.
    pub stopped: bool,
}

/// Recordings completed upstream that are not archived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unarchived {
    /// Since when the oldest should be archived.
    pub since: Option<DateTime<Utc>>,
    /// The oldest one's last error.
    pub error: Option<String>,
    /// How many are older than `poll.stuck_after`.
    pub stuck: u64,
}

/// Recordings that are not completed upstream for too long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// How many.
    pub stuck: u64,
    /// When the first of them was first seen.
    pub since: Option<DateTime<Utc>>,
    /// SignalWire's word for the state of that one.
    pub status: Option<String>,
}

/// Sessions whose recordings can't be listed for too long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unlisted {
    /// How many.
    pub stuck: u64,
    /// Since when the first of them can't.
    pub since: Option<DateTime<Utc>>,
    /// Why that one can't.
    pub error: Option<String>,
}

/// Why downloads do not start now, or only one at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// What stops them.
    #[serde(rename = "reason")]
    pub kind: PauseKind,
    /// The media host and port, if it is one that fails.
    pub host: Option<String>,
    /// What happened last.
    pub error: String,
    /// Since when.
    #[serde(serialize_with = "time::serialize")]
    pub since: DateTime<Utc>,
}

/// How polls and sweeps went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passes {
    /// `poll.schedule`.
    pub schedule: Option<String>,
    /// How much later polls are due than that says.
    pub offset: Duration,
    /// `poll.sweep_schedule`.
    pub sweep_schedule: Option<String>,
    /// `verify.schedule`.
    pub verify_schedule: Option<String>,
    /// When the first one began.
    pub first: Option<DateTime<Utc>>,
    /// When the last complete poll ended.
    pub last_poll: Option<DateTime<Utc>>,
    /// When the last complete sweep ended.
    pub last_sweep: Option<DateTime<Utc>>,
    /// When the last complete verification ended.
    pub last_verify: Option<DateTime<Utc>>,
    /// How long that sweep took.
    pub sweep_took: Option<TimeDelta>,
    /// When the sweep began that is running.
    pub sweep_began: Option<DateTime<Utc>>,
    /// Why the last pass was not complete.
    pub error: Option<String>,
    /// Since when the credentials are refused.
    pub refused_since: Option<DateTime<Utc>>,
}

impl Facts {
    /// Everything that health calls stuck, recordings and sessions, by a word for the way.
    #[must_use]
    pub fn stuck_by_kind(&self) -> [(&'static str, u64); 3] {
        [
            ("unarchived", self.unarchived.stuck),
            ("unfinished", self.unfinished.stuck),
            ("unlisted", self.unlisted.stuck),
        ]
    }

    /// How many recordings and sessions are stuck.
    #[must_use]
    pub fn stuck(&self) -> u64 {
        self.stuck_by_kind().iter().map(|(_, count)| count).sum()
    }

    /// Since when the first of them is.
    #[must_use]
    pub fn stuck_since(&self) -> Option<DateTime<Utc>> {
        let unarchived = self.unarchived.since.filter(|_| self.unarchived.stuck > 0);
        let others = [self.unfinished.since, self.unlisted.since];
        unarchived
            .into_iter()
            .chain(others.into_iter().flatten())
            .min()
    }

    /// The number of rows of the view `failures`, which has recordings only.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.unarchived.stuck + self.unfinished.stuck + self.lost + self.unrepairable
    }
}

impl Passes {
    /// When the last complete pass ended that saw what is new: a poll or a sweep.
    #[must_use]
    pub fn last_complete(&self) -> Option<DateTime<Utc>> {
        self.last_poll.max(self.last_sweep)
    }
}

impl Store {
    /// The facts that health is judged by, as they are at `now`.
    pub async fn health_facts(&self, now: DateTime<Utc>) -> Result<Facts> {
        during("read the facts of health", async {
            let stuck_after = self.fact("stuck_after_seconds").await?;
            let stuck_after = stuck_after
                .and_then(|seconds| seconds.parse().ok())
                .and_then(TimeDelta::try_seconds);
            let before = stuck_after.and_then(|after| now.checked_sub_signed(after));
            let late_before = before;
            // Without a configuration nothing is stuck: no time is before this one.
            let before = before.map(time::to_text).unwrap_or_default();
            let mut facts = Facts {
                unarchived: self.unarchived(&before).await?,
                unfinished: self.unfinished(&before).await?,
                unlisted: self.unlisted(&before).await?,
                pauses: self.pauses().await?,
                passes: self.pass_facts().await?,
                webhooks: self.webhooks().await?,
                database: self.trouble.now(),
                telemetry: self.telemetry_failure().await?,
                copies: self.copy_facts(late_before).await?,
                stuck_after,
                ..Facts::default()
            };
            let min_free_space = self.fact("min_free_space_bytes").await?;
            facts.min_free_space = min_free_space.and_then(|bytes| bytes.parse().ok());
            self.gone(&mut facts).await?;
            let (no_space, since): (i64, Option<String>) = sqlx::query_as(WAITING_FOR_SPACE)
                .fetch_one(self.read())
                .await?;
            facts.no_space = no_space.cast_unsigned();
            facts.no_space_since = parse(since.as_deref());
            Ok(facts)
        })
        .await
    }

    async fn unarchived(&self, before: &str) -> Result<Unarchived> {
        // What SignalWire no longer has can't be archived: it is not waited for.
        let stuck: i64 = sqlx::query_scalar(COUNT_STUCK)
            .bind(before)
            .fetch_one(self.read())
            .await?;
        let oldest = sqlx::query(OLDEST_UNARCHIVED)
            .fetch_optional(self.read())
            .await?;
        let mut unarchived = Unarchived {
            stuck: stuck.cast_unsigned(),
            ..Unarchived::default()
        };
        if let Some(oldest) = oldest {
            unarchived.since = parse(oldest.try_get("pending_since")?);
            unarchived.error = oldest.try_get("last_error")?;
        }
        Ok(unarchived)
    }

    async fn unfinished(&self, before: &str) -> Result<Unfinished> {
        // SQLite takes the other columns from the row that has the minimum.
        let row = sqlx::query(UNFINISHED)
            .bind(before)
            .fetch_one(self.read())
            .await?;
        Ok(Unfinished {
            stuck: row.try_get::<i64, _>("stuck")?.cast_unsigned(),
            since: parse(row.try_get("since")?),
            status: row.try_get("upstream_status")?,
        })
    }

    async fn unlisted(&self, before: &str) -> Result<Unlisted> {
        let row = sqlx::query(UNLISTED)
            .bind(before)
            .fetch_one(self.read())
            .await?;
        Ok(Unlisted {
            stuck: row.try_get::<i64, _>("stuck")?.cast_unsigned(),
            since: parse(row.try_get("since")?),
            error: row.try_get("list_error")?,
        })
    }

    async fn gone(&self, facts: &mut Facts) -> Result<()> {
        let (lost, damaged, since): (i64, i64, Option<String>) =
            sqlx::query_as(GONE).fetch_one(self.read()).await?;
        facts.lost = lost.cast_unsigned();
        facts.unrepairable = damaged.cast_unsigned();
        facts.gone_since = parse(since.as_deref());
        Ok(())
    }

    /// Why downloads do not start now, or only one at a time: the longest known first.
    async fn pauses(&self) -> Result<Vec<Pause>> {
        let rows: Vec<(String, Option<String>, String, String)> =
            sqlx::query_as(PAUSES).fetch_all(self.read()).await?;
        rows.into_iter()
            .map(|(reason, host, error, since)| {
                Ok(Pause {
                    kind: reason.parse()?,
                    host,
                    error,
                    since: time::parse(&since).ok_or(Error::Content("time"))?,
                })
            })
            .collect()
    }

    async fn pass_facts(&self) -> Result<Passes> {
        let (_, last_poll) = self.last_complete_pass("poll").await?.unzip();
        let (sweep_from, last_sweep) = self.last_complete_pass("sweep").await?.unzip();
        let (_, last_verify) = self.last_complete_pass("verify").await?.unzip();
        let first: Option<String> = sqlx::query_scalar(FIRST_PASS)
            .fetch_optional(self.read())
            .await?;
        let sweep_began: Option<String> = sqlx::query_scalar(RUNNING_SWEEP)
            .fetch_one(self.read())
            .await?;
        let mut passes = Passes {
            schedule: self.fact("poll_schedule").await?,
            offset: self.poll_offset().await?,
            sweep_schedule: self.fact("sweep_schedule").await?,
            verify_schedule: self.fact("verify_schedule").await?,
            first: parse(first.as_deref()),
            last_poll,
            last_sweep,
            last_verify,
            sweep_took: last_sweep
                .zip(sweep_from)
                .map(|(ended, began)| ended - began),
            sweep_began: parse(sweep_began.as_deref()),
            ..Passes::default()
        };
        let last: Option<(String, Option<String>)> = sqlx::query_as(LAST_PASS)
            .fetch_optional(self.read())
            .await?;
        if let Some((outcome, error)) = last {
            // A complete pass notes there what it rejected.
            passes.error = error.filter(|_| outcome != "complete");
            if outcome == "refused" {
                passes.refused_since = self.refused_since().await?;
            }
        }
        Ok(passes)
    }

    /// When the last complete pass of a kind began, and when it ended.
    async fn last_complete_pass(
        &self,
        kind: &str,
    ) -> Result<Option<(DateTime<Utc>, DateTime<Utc>)>> {
        let pass: Option<(String, String)> = sqlx::query_as(LAST_COMPLETE_PASS)
            .bind(kind)
            .fetch_optional(self.read())
            .await?;
        Ok(pass.and_then(|(began, ended)| time::parse(&began).zip(time::parse(&ended))))
    }

    /// When the first of the refused passes at the end began.
    async fn refused_since(&self) -> Result<Option<DateTime<Utc>>> {
        let since: Option<String> = sqlx::query_scalar(REFUSED_SINCE)
            .fetch_optional(self.read())
            .await?;
        Ok(parse(since.as_deref()))
    }
}

fn parse(text: Option<&str>) -> Option<DateTime<Utc>> {
    text.and_then(time::parse)
}
