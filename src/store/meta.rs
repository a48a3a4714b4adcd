//! Small facts by name, events to look up later, pauses, and the hosts that rate-limit us.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Sqlite, Transaction};

use crate::model::{RecordingId, time, words};
use crate::store::rows::statements;
use crate::store::{Result, Store, during, on};

statements! {
    FACT = "SELECT value FROM meta WHERE name = ?";
    SET_FACT = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    FORGET_FACT = "DELETE FROM meta WHERE name = ?";
    EVENT = "INSERT INTO event (at, kind, recording_id, text) VALUES (?, ?, ?, ?)";
    EVENT_ONCE_A_DAY = "INSERT INTO event (at, kind, text) SELECT ?1, ?2, ?3
         WHERE NOT EXISTS (SELECT 1 FROM event WHERE at > ?4 AND kind = ?2 AND text = ?3)";
    FORGET_PAUSES = "DELETE FROM pause";
    ADD_PAUSE = "INSERT INTO pause (reason, subject, error, since) VALUES (?, ?, ?, ?)";
    PRUNE_EVENTS = "DELETE FROM event WHERE at < ?";
    COOLDOWNS = "SELECT host, until FROM cooldown";
    FORGET_COOLDOWNS = "DELETE FROM cooldown";
    ADD_COOLDOWN = "INSERT INTO cooldown (host, until) VALUES (?, ?)";
}

const TELEMETRY_FAILURE: &str = "telemetry_failure";

words! {
    /// What keeps downloads from starting, or lets them start only one at a time.
    pub enum PauseKind ("a reason of a pause") {
        /// The archive's disk.
        Disk = "disk",
        /// The API.
        Api = "api",
        /// A media host that fails.
        Host = "host",
        /// Downloads that fail one after another.
        Failures = "failures",
    }
}

/// Why downloads do not start now, as the view `pauses` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseRow {
    /// What stops them.
    pub reason: PauseKind,
    /// The host and port, for the reason `host`.
    pub subject: String,
    /// What happened last.
    pub error: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl Store {
    /// Some time after the last failure: tries to write, and notes that the database works again if that succeeds.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database still fails.
    pub async fn try_again(&self, now: DateTime<Utc>) -> Result<()> {
        if self.trouble.is_worth_a_try(now) {
            self.set_fact("tried_again", Some("1")).await?;
            self.set_fact("tried_again", None).await?;
            self.trouble.over();
        }
        Ok(())
    }

    /// A fact by its name.
    pub async fn fact(&self, name: &str) -> Result<Option<String>> {
        during("read a fact", async {
            Ok(sqlx::query_scalar(FACT)
                .bind(name)
                .fetch_optional(self.read())
                .await?)
        })
        .await
    }

    /// Sets a fact, or forgets it.
    pub async fn set_fact(&self, name: &str, value: Option<&str>) -> Result<()> {
        during("write a fact", async {
            let mut tx = self.write().await?;
            match value {
                Some(value) => {
                    sqlx::query(SET_FACT)
                        .bind(name)
                        .bind(value)
                        .execute(on(&mut tx))
                        .await?
                }
                None => {
                    sqlx::query(FORGET_FACT)
                        .bind(name)
                        .execute(on(&mut tx))
                        .await?
                }
            };
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Notes when polls are due, for health.
    pub async fn set_poll_schedule(&self, schedule: &str, offset: Duration) -> Result<()> {
        self.set_fact("poll_schedule", Some(schedule)).await?;
        let offset = offset.as_secs().to_string();
        self.set_fact("poll_offset_seconds", Some(&offset)).await
    }

    /// How much later than scheduled polls are due.
    pub(super) async fn poll_offset(&self) -> Result<Duration> {
        let seconds = self.fact("poll_offset_seconds").await?;
        let seconds = seconds.and_then(|seconds| seconds.parse().ok());
        Ok(Duration::from_secs(seconds.unwrap_or(0)))
    }

    /// Notes since when and why metrics and health can't be served; `None`: they can, or need not.
    pub async fn note_telemetry(&self, failure: Option<(DateTime<Utc>, &str)>) -> Result<()> {
        let text = failure.map(|(since, error)| format!("{} {error}", time::to_text(since)));
        self.set_fact(TELEMETRY_FAILURE, text.as_deref()).await
    }

    /// What [`Self::note_telemetry`] noted.
    pub(super) async fn telemetry_failure(&self) -> Result<Option<(DateTime<Utc>, String)>> {
        let noted = self.fact(TELEMETRY_FAILURE).await?;
        Ok(noted.and_then(|text| {
            let (since, error) = text.split_once(' ')?;
            Some((time::parse(since)?, error.to_owned()))
        }))
    }

    /// Whether nothing was discovered yet.
    pub async fn is_empty(&self) -> Result<bool> {
        during("look whether the archive is empty", async {
        let query =
            "SELECT NOT EXISTS (SELECT 1 FROM session) AND NOT EXISTS (SELECT 1 FROM recording)";
        Ok(sqlx::query_scalar(query).fetch_one(self.read()).await?)
        })
        .await
    }

    /// Keeps an event for a later look.
    pub async fn event(
        &self,
        at: DateTime<Utc>,
        kind: &str,
        id: Option<RecordingId>,
        text: &str,
    ) -> Result<()> {
        during("write an event", async {
            let mut tx = self.write().await?;
            add_event(&mut tx, &time::to_text(at), kind, id, text).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Keeps an event unless the same was kept within a day: for what every pass meets again. Returns whether it was new.
    pub async fn event_once_a_day(
        &self,
        at: DateTime<Utc>,
        kind: &str,
        text: &str,
    ) -> Result<bool> {
        during("write an event", async {
            let mut tx = self.write().await?;
            let done = sqlx::query(EVENT_ONCE_A_DAY)
                .bind(time::to_text(at))
                .bind(kind)
                .bind(text)
                .bind(time::to_text(at - TimeDelta::days(1)))
                .execute(on(&mut tx))
                .await?;
            tx.commit().await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    /// Replaces the reasons why downloads do not start now.
    pub async fn set_pauses(&self, pauses: &[PauseRow]) -> Result<()> {
        during("write why downloads pause", async {
            let mut tx = self.write().await?;
            sqlx::query(FORGET_PAUSES).execute(on(&mut tx)).await?;
            for pause in pauses {
                sqlx::query(ADD_PAUSE)
                    .bind(pause.reason.as_str())
                    .bind(&pause.subject)
                    .bind(&pause.error)
                    .bind(time::to_text(pause.since))
                    .execute(on(&mut tx))
                    .await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Forgets events older than `before`.
    pub async fn prune_events(&self, before: DateTime<Utc>) -> Result<()> {
        during("remove old events", async {
            let mut tx = self.write().await?;
            sqlx::query(PRUNE_EVENTS)
                .bind(time::to_text(before))
                .execute(on(&mut tx))
                .await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// The hosts that rate-limit us, and until when.
    pub async fn cooldowns(&self) -> Result<Vec<(String, DateTime<Utc>)>> {
        during("read rate limits", async {
            let rows: Vec<(String, String)> =
                sqlx::query_as(COOLDOWNS).fetch_all(self.read()).await?;
            Ok(rows
                .into_iter()
                .filter_map(|(host, until)| Some((host, time::parse(&until)?)))
                .collect())
        })
        .await
    }

    /// Replaces the hosts that rate-limit us.
    pub async fn set_cooldowns(&self, cooldowns: &[(String, DateTime<Utc>)]) -> Result<()> {
        during("write rate limits", async {
            let mut tx = self.write().await?;
            sqlx::query(FORGET_COOLDOWNS).execute(on(&mut tx)).await?;
            for (host, until) in cooldowns {
                sqlx::query(ADD_COOLDOWN)
                    .bind(host)
                    .bind(time::to_text(*until))
                    .execute(on(&mut tx))
                    .await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }
}

/// Adds an event in the transaction of the change that it is about.
pub(super) async fn add_event(
    tx: &mut Transaction<'static, Sqlite>,
    at: &str,
    kind: &str,
    id: Option<RecordingId>,
    text: &str,
) -> Result<()> {
    sqlx::query(EVENT)
        .bind(at)
        .bind(kind)
        .bind(id.map(|id| id.to_string()))
        .bind(text)
        .execute(on(tx))
        .await?;
    Ok(())
}
