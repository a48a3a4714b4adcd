//! What the archived recordings of each day and room come to: sums that are kept, and recalculated for
//! the days on which something changed. The views add those up themselves until then, so they are never
//! wrong, only slower.

use crate::store::{Result, Store, during, on};

/// Days recalculated in one transaction.
const DAYS: u32 = 100;

impl Store {
    /// Recalculates the sums of all stale days.
    pub async fn refresh_storage(&self) -> Result<()> {
        during("recalculate the storage sums", async {
        loop {
            let stale: i64 = sqlx::query_scalar("SELECT count(*) FROM storage_stale")
                .fetch_one(self.read())
                .await?;
            if stale == 0 {
                return Ok(());
            }
            let mut tx = self.write().await?;
            sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
                "CREATE TEMP TABLE IF NOT EXISTS later (day TEXT PRIMARY KEY) WITHOUT ROWID;
                 DELETE FROM temp.later;
                 INSERT INTO temp.later SELECT day FROM storage_stale ORDER BY day LIMIT -1 OFFSET {DAYS};
                 DELETE FROM storage_stale WHERE day IN (SELECT day FROM temp.later);
                 DELETE FROM storage WHERE day IN (SELECT day FROM storage_stale);
                 INSERT INTO storage SELECT * FROM _storage_now;
                 DELETE FROM storage_stale;
                 INSERT INTO storage_stale SELECT day FROM temp.later"
            )))
            .execute(on(&mut tx))
            .await?;
            tx.commit().await?;
        }
        })
        .await
    }
}
