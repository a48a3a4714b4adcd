//! Deliveries that are made again, because a person asks for it.

use chrono::{DateTime, Utc};

use crate::model::time;
use crate::store::rows::statements;
use crate::store::{Result, Store, during, on};

statements! {
    REPLAY = "UPDATE delivery SET state = 'pending', attempts = 0, first_attempt_at = NULL, next_attempt_at = '',
            ended_at = NULL, http_status = NULL, error = NULL
         WHERE webhook = ?1 AND CASE
             WHEN ?2 IS NOT NULL THEN seq IN (SELECT seq FROM outbox WHERE id = ?2)
             WHEN ?3 IS NOT NULL THEN seq IN (SELECT seq FROM outbox WHERE at >= ?3)
             ELSE state = 'failed' END";
    IS_WEBHOOK = "SELECT count(*) FROM webhook WHERE name = ?";
}

/// Which deliveries are made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// Those that were given up.
    Failed,
    /// All of events that happened since then.
    Since(DateTime<Utc>),
    /// That of one event.
    Event(String),
}

impl Store {
    /// Makes deliveries of a webhook due again, as if they had never been tried. Returns how many; `None`: there is no
    /// webhook of that name.
    pub async fn replay(&self, webhook: &str, which: &Replay) -> Result<Option<u64>> {
        during("repeat deliveries", async {
            let (event, since) = match which {
                Replay::Failed => (None, None),
                Replay::Since(since) => (None, Some(time::to_text(*since))),
                Replay::Event(id) => (Some(id), None),
            };
            let mut tx = self.write().await?;
            let known: i64 = sqlx::query_scalar(IS_WEBHOOK)
                .bind(webhook)
                .fetch_one(on(&mut tx))
                .await?;
            let done = sqlx::query(REPLAY)
                .bind(webhook)
                .bind(event)
                .bind(since)
                .execute(on(&mut tx))
                .await?;
            tx.commit().await?;
            Ok((known == 1).then(|| done.rows_affected()))
        })
        .await
    }
}
