//! The webhooks as rows: how each of them is doing.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::model::time;
use crate::store::rows::{at, json, optional_time, statements};
use crate::store::{LONGEST_WAIT, Result, Store, during, on};

statements! {
    FORGET_WEBHOOKS = "DELETE FROM webhook WHERE name NOT IN (SELECT value FROM json_each(?))";
    // A webhook does not receive events from before it was configured.
    PUT_WEBHOOK = "INSERT INTO webhook (name, events, url_sha256, routed)
         VALUES (?1, ?2, ?3, coalesce((SELECT max(seq) FROM outbox), 0))
         ON CONFLICT (name) DO UPDATE SET events = excluded.events";
    RESET_WEBHOOK = "UPDATE webhook SET url_sha256 = ?2, failures = 0, failing_since = NULL, next_at = NULL,
         last_error = NULL, disabled_at = NULL WHERE name = ?1 AND url_sha256 <> ?2";
    FORGET_OUTBOX = "DELETE FROM outbox WHERE NOT EXISTS (SELECT 1 FROM webhook)";
    FORGET_STUCK = "DELETE FROM stuck_reported WHERE NOT EXISTS (SELECT 1 FROM webhook)";
    // What is put off for longer than anything is was put off by a clock that ran ahead.
    CLOCK_WENT_BACK = "UPDATE webhook SET next_at = NULL WHERE next_at > ?";
    CLOCK_WENT_BACK_FOR = "UPDATE delivery SET next_attempt_at = '' WHERE state = 'pending' AND next_attempt_at > ?";
    WEBHOOK = "SELECT name, failures, failing_since, next_at, last_error, disabled_at, delivered_at, dropped
         FROM webhook WHERE name = ?";
    WEBHOOKS = "SELECT name, failures, failing_since, next_at, last_error, disabled_at, delivered_at, dropped
         FROM webhook ORDER BY name";
    BACKLOG = "SELECT (SELECT count(*) FROM delivery INDEXED BY delivery_due
             WHERE webhook = ?1 AND state = 'pending') AS pending,
         (SELECT count(*) FROM delivery INDEXED BY delivery_failed
             WHERE webhook = ?1 AND state = 'failed') AS failed,
         (SELECT o.at FROM outbox o WHERE o.seq = (SELECT min(seq) FROM delivery INDEXED BY delivery_subject
             WHERE webhook = ?1 AND state = 'pending')) AS oldest";
    ENABLE = "UPDATE webhook SET disabled_at = NULL, failures = 0, failing_since = NULL, next_at = NULL,
         last_error = NULL WHERE name = ?";
    WAKE_DELIVERIES = "UPDATE delivery SET next_attempt_at = '' WHERE webhook = ? AND state = 'pending'";
}

/// A webhook as the configuration has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct WebhookRow {
    pub name: String,
    /// The types of events it gets.
    pub events: Vec<&'static str>,
    /// Shows that it has another URL; the URL itself is not stored.
    pub url_sha256: String,
}

/// How a webhook is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct WebhookState {
    pub name: String,
    /// Requests that failed, in a row.
    pub failures: u32,
    pub failing_since: Option<DateTime<Utc>>,
    /// Nothing is sent before then.
    pub next_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
    /// It answered that it is gone for good.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it last accepted an event.
    pub delivered_at: Option<DateTime<Utc>>,
    /// Events it never got, as there were too many.
    pub dropped: u64,
}

/// How a webhook is doing, and how much it has before it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// Its name.
    pub name: String,
    /// Events still to be delivered.
    pub pending: u64,
    /// When the oldest of them happened.
    #[serde(serialize_with = "optional_time")]
    pub oldest: Option<DateTime<Utc>>,
    /// Events given up.
    pub failed: u64,
    /// Events it never got, as there were too many.
    pub dropped: u64,
    /// Since when it accepts nothing.
    #[serde(serialize_with = "optional_time")]
    pub failing_since: Option<DateTime<Utc>>,
    /// Since when nothing is sent, as it answered that it is gone for good.
    #[serde(serialize_with = "optional_time")]
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it last accepted an event.
    #[serde(serialize_with = "optional_time")]
    pub delivered_at: Option<DateTime<Utc>>,
    /// Why it failed last.
    pub error: Option<String>,
}

impl Store {
    /// Writes down which webhooks are configured. Those that are not any more are forgotten with their deliveries; one
    /// with another URL starts afresh.
    pub async fn set_webhooks(&self, webhooks: &[WebhookRow], now: DateTime<Utc>) -> Result<()> {
        during("write which webhooks are configured", async {
            if webhooks.is_empty() && self.webhooks().await?.is_empty() {
                return Ok(());
            }
            let names: Vec<&str> = webhooks.iter().map(|one| one.name.as_str()).collect();
            let far = time::to_text(now + LONGEST_WAIT);
            let mut tx = self.write().await?;
            sqlx::query(FORGET_WEBHOOKS)
                .bind(json(&names)?)
                .execute(on(&mut tx))
                .await?;
            for webhook in webhooks {
                sqlx::query(PUT_WEBHOOK)
                    .bind(&webhook.name)
                    .bind(format!(" {} ", webhook.events.join("  ")))
                    .bind(&webhook.url_sha256)
                    .execute(on(&mut tx))
                    .await?;
                sqlx::query(RESET_WEBHOOK)
                    .bind(&webhook.name)
                    .bind(&webhook.url_sha256)
                    .execute(on(&mut tx))
                    .await?;
            }
            for forget in [FORGET_OUTBOX, FORGET_STUCK] {
                sqlx::query(forget).execute(on(&mut tx)).await?;
            }
            for went_back in [CLOCK_WENT_BACK, CLOCK_WENT_BACK_FOR] {
                sqlx::query(went_back)
                    .bind(&far)
                    .execute(on(&mut tx))
                    .await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    /// How a webhook is doing; `None`: it is not configured.
    pub async fn webhook(&self, name: &str) -> Result<Option<WebhookState>> {
        during("read a webhook", async {
            let row = sqlx::query(WEBHOOK)
                .bind(name)
                .fetch_optional(self.read())
                .await?;
            row.as_ref().map(state).transpose()
        })
        .await
    }

    /// How each webhook is doing.
    pub async fn webhooks(&self) -> Result<Vec<WebhookState>> {
        during("read the webhooks", async {
            let rows = sqlx::query(WEBHOOKS).fetch_all(self.read()).await?;
            rows.iter().map(state).collect()
        })
        .await
    }

    /// How each webhook is doing, and how much it has before it.
    pub async fn backlogs(&self) -> Result<Vec<Backlog>> {
        during("count the deliveries", async {
            let mut backlogs = Vec::new();
            for webhook in self.webhooks().await? {
                let row = sqlx::query(BACKLOG)
                    .bind(&webhook.name)
                    .fetch_one(self.read())
                    .await?;
                backlogs.push(Backlog {
                    pending: row.try_get::<i64, _>("pending")?.cast_unsigned(),
                    failed: row.try_get::<i64, _>("failed")?.cast_unsigned(),
                    oldest: at(&row, "oldest")?,
                    name: webhook.name,
                    dropped: webhook.dropped,
                    failing_since: webhook.failing_since,
                    disabled_at: webhook.disabled_at,
                    delivered_at: webhook.delivered_at,
                    error: webhook.last_error,
                });
            }
            Ok(backlogs)
        })
        .await
    }

    /// Makes a webhook try again at once, whatever it answered before. Returns whether there is one of that name.
    pub async fn enable_webhook(&self, name: &str) -> Result<bool> {
        during("enable a webhook", async {
            let mut tx = self.write().await?;
            let done = sqlx::query(ENABLE).bind(name).execute(on(&mut tx)).await?;
            sqlx::query(WAKE_DELIVERIES)
                .bind(name)
                .execute(on(&mut tx))
                .await?;
            tx.commit().await?;
            Ok(done.rows_affected() == 1)
        })
        .await
    }
}

fn state(row: &SqliteRow) -> Result<WebhookState> {
    Ok(WebhookState {
        name: row.try_get("name")?,
        failures: row.try_get("failures")?,
        failing_since: at(row, "failing_since")?,
        next_at: at(row, "next_at")?,
        last_error: row.try_get("last_error")?,
        disabled_at: at(row, "disabled_at")?,
        delivered_at: at(row, "delivered_at")?,
        dropped: row.try_get::<i64, _>("dropped")?.cast_unsigned(),
    })
}
