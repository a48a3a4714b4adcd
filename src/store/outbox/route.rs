//! From an event to its deliveries: each webhook takes from the outbox what it wants.

use serde::Serialize;

use crate::store::rows::{json, statements};
use crate::store::{Result, Store, during, on};

statements! {
    UNROUTED = "SELECT seq, type, coalesce(recording_id, ''), room_name FROM outbox
         WHERE seq > (SELECT routed FROM webhook WHERE name = ?1) ORDER BY seq LIMIT 500";
    ADD_DELIVERIES = "INSERT OR IGNORE INTO delivery (webhook, seq, subject)
         SELECT ?1, value ->> 0, value ->> 1 FROM json_each(?2)
         WHERE EXISTS (SELECT 1 FROM outbox WHERE seq = value ->> 0) AND EXISTS (SELECT 1 FROM webhook WHERE name = ?1)";
    ROUTED = "UPDATE webhook SET routed = max(routed, ?2) WHERE name = ?1";
}

/// What a webhook decides by whether it wants an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// The type of the event.
    pub kind: String,
    /// The room, if the event concerns a recording and its room is known.
    pub room_name: Option<String>,
}

/// An event and whom it concerns.
#[derive(Debug, Serialize)]
struct Wanted(i64, String);

impl Store {
    /// Takes what happened since the last time, and keeps what is `wanted` as deliveries of a webhook. Returns how many
    /// events that were: if it is some hundred, there may be more.
    pub async fn route(&self, webhook: &str, wanted: impl Fn(&Happened) -> bool) -> Result<usize> {
        during("prepare deliveries", async {
            let events: Vec<(i64, String, String, Option<String>)> = sqlx::query_as(UNROUTED)
                .bind(webhook)
                .fetch_all(self.read())
                .await?;
            let Some(&(last, ..)) = events.last() else {
                return Ok(0);
            };
            let count = events.len();
            let wanted: Vec<Wanted> = events
                .into_iter()
                .filter_map(|(seq, kind, subject, room_name)| {
                    wanted(&Happened { kind, room_name }).then_some(Wanted(seq, subject))
                })
                .collect();
            let mut tx = self.write().await?;
            sqlx::query(ADD_DELIVERIES)
                .bind(webhook)
                .bind(json(&wanted)?)
                .execute(on(&mut tx))
                .await?;
            sqlx::query(ROUTED)
                .bind(webhook)
                .bind(last)
                .execute(on(&mut tx))
                .await?;
            tx.commit().await?;
            Ok(count)
        })
        .await
    }
}
