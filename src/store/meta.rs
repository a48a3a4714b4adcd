//! Small facts by name, events for a later look, and the hosts that asked for patience.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Result, Store, on};
use crate::model::{RecordingId, time};

impl Store {
    /// A fact by its name.
    ///
    /// # Errors
    /// [`super::Error`], if the database fails.
    pub async fn fact(&self, name: &str) -> Result<Option<String>> {
        Ok(sqlx::query_scalar("SELECT value FROM meta WHERE name = ?")
            .bind(name)
            .fetch_optional(self.read())
            .await?)
    }

    /// Sets a fact, or forgets it.
    ///
    /// # Errors
    /// [`super::Error`], if the database fails.
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
    /// [`super::Error`], if the database fails.
    pub async fn is_empty(&self) -> Result<bool> {
        let query =
            "SELECT NOT EXISTS (SELECT 1 FROM session) AND NOT EXISTS (SELECT 1 FROM recording)";
        Ok(sqlx::query_scalar(query).fetch_one(self.read()).await?)
    }

    /// Keeps an event for a later look.
    ///
    /// # Errors
    /// [`super::Error`], if the database fails.
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
    /// [`super::Error`], if the database fails.
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

    /// The hosts that asked for patience, and until when.
    ///
    /// # Errors
    /// [`super::Error`], if the database fails.
    pub async fn cooldowns(&self) -> Result<Vec<(String, DateTime<Utc>)>> {
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT host, until FROM cooldown")
            .fetch_all(self.read())
            .await?;
        Ok(rows
            .into_iter()
            .filter_map(|(host, until)| Some((host, time::parse(&until)?)))
            .collect())
    }

    /// Replaces the hosts that asked for patience.
    ///
    /// # Errors
    /// [`super::Error`], if the database fails.
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
