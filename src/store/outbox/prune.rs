//! What is over is forgotten, and what nobody fetches is bounded.

use chrono::{DateTime, TimeDelta, Utc};

use super::MOST_EVENTS;
use crate::model::time;
use crate::store::rows::{json, statements};
use crate::store::{Result, Store, during, on};

statements! {
    OVER = "SELECT seq FROM delivery INDEXED BY delivery_ended
         WHERE state <> 'pending' AND ended_at < ?1 AND (state = 'delivered' OR ended_at < ?2) LIMIT 1000";
    FORGET_DELIVERIES = "DELETE FROM delivery WHERE seq IN (SELECT value FROM json_each(?3))
         AND state <> 'pending' AND ended_at < ?1 AND (state = 'delivered' OR ended_at < ?2)";
    UNWANTED = "SELECT seq FROM outbox WHERE seq <= (SELECT min(routed) FROM webhook)
         AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.seq = outbox.seq) LIMIT 1000";
    FORGET_EVENTS = "DELETE FROM outbox WHERE seq IN (SELECT value FROM json_each(?))";
    GIVE_UP_DISABLED = "UPDATE delivery SET state = 'failed', ended_at = ?1, next_attempt_at = '',
            error = 'the webhook is disabled for as long as an event is kept for it'
         WHERE state = 'pending' AND webhook IN (SELECT name FROM webhook WHERE disabled_at < ?2)
             AND seq <= (SELECT max(seq) FROM outbox WHERE at < ?2)";
    COUNT_EVENTS = "SELECT count(*) FROM outbox";
    OLDEST_ENDED = "SELECT seq FROM outbox WHERE seq <= (SELECT min(routed) FROM webhook) AND NOT EXISTS (
             SELECT 1 FROM delivery WHERE delivery.seq = outbox.seq AND state = 'pending')
         ORDER BY seq LIMIT ?";
    OLDEST = "SELECT seq FROM outbox ORDER BY seq LIMIT ?";
    COUNT_DROPPED = "UPDATE webhook SET
            dropped = dropped + (SELECT count(*) FROM json_each(?1) j CROSS JOIN delivery d
                    ON d.webhook = webhook.name AND d.seq = j.value WHERE d.state = 'pending')
                + (SELECT count(*) FROM json_each(?1) WHERE value > routed),
            routed = max(routed, (SELECT max(value) FROM json_each(?1)))";
}

/// Deliveries are kept for so long, for `webhook replay`; those given up for longer.
const KEPT: TimeDelta = TimeDelta::days(7);
const FAILED_KEPT: TimeDelta = TimeDelta::days(30);
/// Events for a webhook that is disabled are kept as long as those for one that fails.
const DISABLED_KEPT: TimeDelta = TimeDelta::days(3);
/// Rows removed in one transaction: it must not hold up what an attempt of a download has to write.
const AT_A_TIME: u32 = 1000;

impl Store {
    /// Forgets deliveries that ended some days ago, and drops the oldest events if there are too many, whoever waits
    /// for them. Returns how many events were dropped that somebody was to get.
    pub async fn prune_outbox(&self, now: DateTime<Utc>) -> Result<u64> {
        during("remove old deliveries", async {
            let kept = time::to_text(now - KEPT);
            let failed_kept = time::to_text(now - FAILED_KEPT);
            let mut tx = self.write().await?;
            sqlx::query(GIVE_UP_DISABLED)
                .bind(time::to_text(now))
                .bind(time::to_text(now - DISABLED_KEPT))
                .execute(on(&mut tx))
                .await?;
            tx.commit().await?;
            loop {
                let over: Vec<i64> = sqlx::query_scalar(OVER)
                    .bind(&kept)
                    .bind(&failed_kept)
                    .fetch_all(self.read())
                    .await?;
                if over.is_empty() {
                    break;
                }
                let mut tx = self.write().await?;
                sqlx::query(FORGET_DELIVERIES)
                    .bind(&kept)
                    .bind(&failed_kept)
                    .bind(json(&over)?)
                    .execute(on(&mut tx))
                    .await?;
                tx.commit().await?;
            }
            loop {
                let unwanted: Vec<i64> =
                    sqlx::query_scalar(UNWANTED).fetch_all(self.read()).await?;
                if unwanted.is_empty() {
                    break;
                }
                self.forget_events(&unwanted).await?;
            }
            self.drop_excess(MOST_EVENTS).await
        })
        .await
    }

    /// Drops the oldest events above `most`: those that everybody got first.
    pub(in crate::store) async fn drop_excess(&self, most: u32) -> Result<u64> {
        let mut dropped = 0;
        loop {
            let count: u32 = sqlx::query_scalar(COUNT_EVENTS)
                .fetch_one(self.read())
                .await?;
            let excess = count.saturating_sub(most).min(AT_A_TIME);
            if excess == 0 {
                return Ok(dropped);
            }
            let oldest = |statement| {
                sqlx::query_scalar::<_, i64>(statement)
                    .bind(excess)
                    .fetch_all(self.read())
            };
            let ended = oldest(OLDEST_ENDED).await?;
            if !ended.is_empty() {
                self.forget_events(&ended).await?;
                continue;
            }
            let events = oldest(OLDEST).await?;
            let list = json(&events)?;
            let mut tx = self.write().await?;
            sqlx::query(COUNT_DROPPED)
                .bind(&list)
                .execute(on(&mut tx))
                .await?;
            sqlx::query(FORGET_EVENTS)
                .bind(&list)
                .execute(on(&mut tx))
                .await?;
            tx.commit().await?;
            dropped += events.len() as u64;
        }
    }

    async fn forget_events(&self, events: &[i64]) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(FORGET_EVENTS)
            .bind(json(events)?)
            .execute(on(&mut tx))
            .await?;
        Ok(tx.commit().await?)
    }
}
