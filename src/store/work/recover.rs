//! What the process before this one left behind.

use chrono::{DateTime, Utc};

use crate::model::time;
use crate::store::rows::statements;
use crate::store::{Result, Store, during, on};

statements! {
    RELEASE_DOWNLOADING = "UPDATE recording SET state = iif(damage IS NULL, 'pending', 'damaged') WHERE state = 'downloading'";
    WAKE_ALL = "UPDATE recording SET next_attempt_at = NULL, waits_for = NULL
         WHERE waits_for IN ('space', 'recovery')";
    FORGET_PAUSES = "DELETE FROM pause";
}

impl Store {
    /// At start: what was being downloaded when the last process ended is due again.
    pub async fn recover(&self, now: DateTime<Utc>) -> Result<u64> {
        during("recover what the last process left", async {
            let now = time::to_text(now);
            let mut tx = self.write().await?;
            let done = sqlx::query(RELEASE_DOWNLOADING)
                .execute(on(&mut tx))
                .await?;
            // Space and hosts may be back: the first attempts show it.
            sqlx::query(WAKE_ALL).execute(on(&mut tx)).await?;
            sqlx::query(FORGET_PAUSES).execute(on(&mut tx)).await?;
            for table in ["attempt", "pass"] {
                sqlx::query(sqlx::AssertSqlSafe(format!(
                "UPDATE {table} SET outcome = 'interrupted', ended_at = ? WHERE outcome = 'running'"
            )))
            .bind(&now)
            .execute(on(&mut tx))
            .await?;
            }
            tx.commit().await?;
            Ok(done.rows_affected())
        })
        .await
    }
}
