//! Small facts by name, events to look up later, pauses, and the hosts that rate-limit us.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::model::{RecordingId, time};
use crate::store::{Error, Result, Store, on};

/// What keeps downloads from starting, or lets them start only one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PauseKind {
    /// The archive's disk.
    Disk,
    /// The API.
    Api,
    /// A media host that fails.
    Host,
    /// Downloads that fail one after another.
    Failures,
}

impl PauseKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Disk, Self::Api, Self::Host, Self::Failures];

    /// Its word in the view `pauses` and in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Api => "api",
            Self::Host => "host",
            Self::Failures => "failures",
        }
    }
}

impl FromStr for PauseKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut kinds = Self::ALL.into_iter();
        kinds
            .find(|kind| kind.as_str() == text)
            .ok_or(Error::Content("reason of a pause"))
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
    /// A fact by its name.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database fails.
    pub async fn fact(&self, name: &str) -> Result<Option<String>> {
        Ok(sqlx::query_scalar("SELECT value FROM meta WHERE name = ?")
            .bind(name)
            .fetch_optional(self.read())
            .await?)
    }

    /// Sets a fact, or forgets it.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database fails.
    pub async fn set_fact(&self, name: &str, value: Option<&str>) -> Result<()> {
        let mut tx = self.write().await?;
        match value {
            Some(value) => {
                sqlx::query("INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
                    .bind(name)
                    .bind(value)
                    .execute(on(&mut tx))
                    .await?
            }
            None => {
                sqlx::query("DELETE FROM meta WHERE name = ?")
                    .bind(name)
                    .execute(on(&mut tx))
                    .await?
            }
        };
        Ok(tx.commit().await?)
    }

    /// Whether nothing was discovered yet.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database fails.
    pub async fn is_empty(&self) -> Result<bool> {
        let query =
            "SELECT NOT EXISTS (SELECT 1 FROM session) AND NOT EXISTS (SELECT 1 FROM recording)";
        Ok(sqlx::query_scalar(query).fetch_one(self.read()).await?)
    }

    /// Keeps an event for a later look.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database fails.
    pub async fn event(
        &self,
        at: DateTime<Utc>,
        kind: &str,
        id: Option<RecordingId>,
        text: &str,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query("INSERT INTO event (at, kind, recording_id, text) VALUES (?, ?, ?, ?)")
            .bind(time::to_text(at))
            .bind(kind)
            .bind(id.map(|id| id.to_string()))
            .bind(text)
            .execute(on(&mut tx))
            .await?;
        Ok(tx.commit().await?)
    }

    /// Keeps an event unless the same was kept within a day: for what every pass meets again.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database fails.
    pub async fn event_once_a_day(&self, at: DateTime<Utc>, kind: &str, text: &str) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO event (at, kind, text) SELECT ?1, ?2, ?3
             WHERE NOT EXISTS (SELECT 1 FROM event WHERE at > ?4 AND kind = ?2 AND text = ?3)",
        )
        .bind(time::to_text(at))
        .bind(kind)
        .bind(text)
        .bind(time::to_text(at - TimeDelta::days(1)))
        .execute(on(&mut tx))
        .await?;
        Ok(tx.commit().await?)
    }

    /// Replaces the reasons why downloads do not start now.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database fails.
    pub async fn set_pauses(&self, pauses: &[PauseRow]) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM pause")
            .execute(on(&mut tx))
            .await?;
        for pause in pauses {
            sqlx::query("INSERT INTO pause (reason, subject, error, since) VALUES (?, ?, ?, ?)")
                .bind(pause.reason.as_str())
                .bind(&pause.subject)
                .bind(&pause.error)
                .bind(time::to_text(pause.since))
                .execute(on(&mut tx))
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Forgets events older than `before`.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database fails.
    pub async fn prune_events(&self, before: DateTime<Utc>) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM event WHERE at < ?")
            .bind(time::to_text(before))
            .execute(on(&mut tx))
            .await?;
        Ok(tx.commit().await?)
    }

    /// The hosts that rate-limit us, and until when.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database fails.
    pub async fn cooldowns(&self) -> Result<Vec<(String, DateTime<Utc>)>> {
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT host, until FROM cooldown")
            .fetch_all(self.read())
            .await?;
        Ok(rows
            .into_iter()
            .filter_map(|(host, until)| Some((host, time::parse(&until)?)))
            .collect())
    }

    /// Replaces the hosts that rate-limit us.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database fails.
    pub async fn set_cooldowns(&self, cooldowns: &[(String, DateTime<Utc>)]) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM cooldown")
            .execute(on(&mut tx))
            .await?;
        for (host, until) in cooldowns {
            sqlx::query("INSERT INTO cooldown (host, until) VALUES (?, ?)")
                .bind(host)
                .bind(time::to_text(*until))
                .execute(on(&mut tx))
                .await?;
        }
        Ok(tx.commit().await?)
    }
}
