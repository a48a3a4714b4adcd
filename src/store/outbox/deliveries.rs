//! One delivery after another: what is due, and what each attempt comes to.

use chrono::{DateTime, Utc};
use sqlx::Row as _;

use crate::model::time;
use crate::store::rows::{at, statements};
use crate::store::{Error, Result, Store, during, on};

statements! {
    // Events of one subject keep their order: a later one waits for the earlier.
    NEXT_DELIVERY = "SELECT d.seq, d.attempts, d.first_attempt_at, o.id, o.at, o.type, o.data
         FROM delivery d INDEXED BY delivery_due JOIN outbox o ON o.seq = d.seq
         WHERE d.webhook = ?1 AND d.state = 'pending' AND d.next_attempt_at <= ?2 AND NOT EXISTS (
             SELECT 1 FROM delivery earlier INDEXED BY delivery_subject WHERE earlier.webhook = d.webhook
                 AND earlier.subject = d.subject AND earlier.state = 'pending' AND earlier.seq < d.seq)
         ORDER BY d.next_attempt_at, d.seq LIMIT 1";
    NEXT_DUE = "SELECT next_attempt_at FROM delivery INDEXED BY delivery_due
         WHERE webhook = ?1 AND state = 'pending' AND next_attempt_at > ?2 ORDER BY next_attempt_at LIMIT 1";
    DELIVERED = "UPDATE delivery SET state = 'delivered', attempts = attempts + 1,
            first_attempt_at = coalesce(first_attempt_at, ?3), next_attempt_at = '', ended_at = ?3, http_status = ?4,
            error = NULL
         WHERE webhook = ?1 AND seq = ?2 AND state = 'pending'";
    FAILED = "UPDATE delivery SET state = iif(?4 IS NULL, 'failed', 'pending'), attempts = attempts + 1,
            first_attempt_at = coalesce(first_attempt_at, ?3), next_attempt_at = coalesce(?4, ''),
            ended_at = iif(?4 IS NULL, ?3, NULL), http_status = ?5, error = ?6, unreachable = ?7
         WHERE webhook = ?1 AND seq = ?2 AND state = 'pending'";
    RECOVERED = "UPDATE delivery SET next_attempt_at = ''
         WHERE webhook = ?1 AND state = 'pending' AND next_attempt_at > '' AND unreachable";
    ACCEPTS = "UPDATE webhook SET failures = 0, failing_since = NULL, next_at = NULL, last_error = NULL,
         delivered_at = ?2 WHERE name = ?1";
    REFUSES = "UPDATE webhook SET failures = failures + 1, failing_since = coalesce(failing_since, ?2), next_at = ?3,
         last_error = ?4, disabled_at = iif(?5, ?2, disabled_at) WHERE name = ?1";
    // What was never tried is given up, too, once nothing was accepted for as long as an event is tried.
    GIVE_UP_OLD = "UPDATE delivery SET state = 'failed', ended_at = ?2, next_attempt_at = '',
            error = 'the webhook accepted nothing for as long as an event is kept for it'
         WHERE webhook = ?1 AND state = 'pending' AND seq <= (SELECT max(seq) FROM outbox WHERE at < ?3)
             AND EXISTS (SELECT 1 FROM webhook WHERE name = ?1 AND failing_since < ?3)";
}

/// An event on its way to a webhook.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Delivery {
    seq: i64,
    /// The `webhook-id`, the same in every attempt.
    pub id: String,
    /// When it happened.
    pub at: String,
    pub kind: String,
    /// JSON.
    pub data: String,
    /// Attempts so far.
    pub attempts: u32,
    pub first_attempt_at: Option<DateTime<Utc>>,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempted {
    /// It was accepted with this status.
    Accepted(u16),
    /// It was not.
    Failed(Failed),
}

/// An attempt that failed, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The answer's status, if there was one.
    pub status: Option<u16>,
    /// Why, without the URL.
    pub error: String,
    /// The reason has nothing to do with the event: once the webhook accepts another, this one is due.
    pub unreachable: bool,
    /// When the event is tried again; `None`: it is given up.
    pub again_at: Option<DateTime<Utc>>,
    /// When the webhook gets its next request.
    pub next_at: DateTime<Utc>,
    /// The webhook is gone for good.
    pub gone: bool,
    /// Events that are older are given up if the webhook has failed since then.
    pub give_up_before: DateTime<Utc>,
}

impl Store {
    /// The delivery of a webhook that is next; `None`: none is due.
    pub async fn next_delivery(
        &self,
        webhook: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Delivery>> {
        during("look for deliveries", async {
            let row = sqlx::query(NEXT_DELIVERY)
                .bind(webhook)
                .bind(time::to_text(now))
                .fetch_optional(self.read())
                .await?;
            row.map(|row| {
                Ok(Delivery {
                    seq: row.try_get("seq")?,
                    id: row.try_get("id")?,
                    at: row.try_get("at")?,
                    kind: row.try_get("type")?,
                    data: row.try_get("data")?,
                    attempts: row.try_get("attempts")?,
                    first_attempt_at: at(&row, "first_attempt_at")?,
                })
            })
            .transpose()
        })
        .await
    }

    /// When the next delivery of a webhook is due that is not due now.
    pub async fn next_delivery_at(
        &self,
        webhook: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>> {
        during("look for deliveries", async {
            let next: Option<String> = sqlx::query_scalar(NEXT_DUE)
                .bind(webhook)
                .bind(time::to_text(now))
                .fetch_optional(self.read())
                .await?;
            next.map(|next| time::parse(&next).ok_or(Error::Content("time")))
                .transpose()
        })
        .await
    }

    /// Notes what an attempt came to.
    pub async fn attempted(
        &self,
        webhook: &str,
        delivery: &Delivery,
        attempted: &Attempted,
        now: DateTime<Utc>,
    ) -> Result<()> {
        during("note a delivery", async {
            match attempted {
                Attempted::Accepted(status) => self.accepted(webhook, delivery, *status, now).await,
                Attempted::Failed(failed) => self.failed(webhook, delivery, failed, now).await,
            }
        })
        .await
    }

    async fn accepted(
        &self,
        webhook: &str,
        delivery: &Delivery,
        status: u16,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let now = time::to_text(now);
        let mut tx = self.write().await?;
        sqlx::query(DELIVERED)
            .bind(webhook)
            .bind(delivery.seq)
            .bind(&now)
            .bind(status)
            .execute(on(&mut tx))
            .await?;
        sqlx::query(RECOVERED)
            .bind(webhook)
            .execute(on(&mut tx))
            .await?;
        sqlx::query(ACCEPTS)
            .bind(webhook)
            .bind(&now)
            .execute(on(&mut tx))
            .await?;
        Ok(tx.commit().await?)
    }

    async fn failed(
        &self,
        webhook: &str,
        delivery: &Delivery,
        failed: &Failed,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let now = time::to_text(now);
        let mut tx = self.write().await?;
        sqlx::query(FAILED)
            .bind(webhook)
            .bind(delivery.seq)
            .bind(&now)
            .bind(failed.again_at.map(time::to_text))
            .bind(failed.status)
            .bind(&failed.error)
            .bind(failed.unreachable)
            .execute(on(&mut tx))
            .await?;
        sqlx::query(REFUSES)
            .bind(webhook)
            .bind(&now)
            .bind(time::to_text(failed.next_at))
            .bind(&failed.error)
            .bind(failed.gone)
            .execute(on(&mut tx))
            .await?;
        sqlx::query(GIVE_UP_OLD)
            .bind(webhook)
            .bind(&now)
            .bind(time::to_text(failed.give_up_before))
            .execute(on(&mut tx))
            .await?;
        Ok(tx.commit().await?)
    }
}
