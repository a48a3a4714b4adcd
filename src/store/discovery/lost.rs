//! Recordings that were gone upstream before they were archived: asked for again from time to time, as what
//! SignalWire lost for a day may come back.

use chrono::{DateTime, Utc};

use crate::model::{RecordingId, time};
use crate::store::rows::{json, recording_id, statements};
use crate::store::{LONGEST_WAIT, Result, Store, during, on};

statements! {
    LOST_DUE = "SELECT id FROM recording WHERE state = 'lost'
            AND (next_attempt_at IS NULL OR next_attempt_at <= ?1 OR next_attempt_at > ?2)
         ORDER BY next_attempt_at LIMIT ?3";
    LOST_ASKED = "UPDATE recording SET next_attempt_at = ? WHERE id IN (SELECT value FROM json_each(?)) AND +state = 'lost'";
}

impl Store {
    /// Up to `limit` lost recordings that are due to be asked for, the longest not asked first.
    pub async fn lost_due(&self, limit: u32, now: DateTime<Utc>) -> Result<Vec<RecordingId>> {
        during("look for lost recordings", async {
            let ids: Vec<String> = sqlx::query_scalar(LOST_DUE)
                .bind(time::to_text(now))
                .bind(time::to_text(now + LONGEST_WAIT))
                .bind(limit)
                .fetch_all(self.read())
                .await?;
            ids.iter().map(|id| recording_id(id)).collect()
        })
        .await
    }

    /// Notes that recordings were asked for, and are due again at `next` if they are still lost.
    pub async fn lost_asked(&self, ids: &[RecordingId], next: DateTime<Utc>) -> Result<()> {
        during("note that lost recordings were asked for", async {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let mut tx = self.write().await?;
            sqlx::query(LOST_ASKED)
                .bind(time::to_text(next))
                .bind(json(&ids)?)
                .execute(on(&mut tx))
                .await?;
            Ok(tx.commit().await?)
        })
        .await
    }
}
