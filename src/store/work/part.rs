//! What is durable of the parts on the disk, and which of them are of use.

use super::claim::Part;
use crate::model::RecordingId;
use crate::store::rows::{json, recording_id, statements};
use crate::store::{Result, Store, during, exactly_one, on};

statements! {
    PART_DURABLE = "UPDATE recording SET part_bytes = ?, part_validator = ?, part_total = ?
         WHERE id = ? AND state = 'downloading'";
    FORGET_PART = "UPDATE recording SET part_bytes = 0, part_validator = NULL, part_total = NULL WHERE id = ?";
    RESUMABLE = "SELECT r.id FROM json_each(?) j CROSS JOIN recording r ON r.id = j.value
         WHERE r.state IN ('waiting', 'pending', 'downloading', 'damaged') OR r.evicted_at IS NOT NULL";
}

impl Store {
    /// Notes how much of a part is durable, and of which object: where a restart may go on from.
    ///
    /// # Errors
    /// [`crate::store::Error::Guard`], if the recording is not being downloaded; [`crate::store::Error`], if the database fails.
    pub async fn part_durable(&self, id: RecordingId, part: &Part) -> Result<()> {
        during("note how much of a part is durable", async {
            let mut tx = self.write().await?;
            let done = sqlx::query(PART_DURABLE)
                .bind(part.bytes.cast_signed())
                .bind(&part.validator)
                .bind(part.total.map(u64::cast_signed))
                .bind(id.to_string())
                .execute(on(&mut tx))
                .await?;
            exactly_one(&done, id, "downloading")?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Forgets a part that was discarded.
    pub async fn forget_part(&self, id: RecordingId) -> Result<()> {
        during("forget a part", async {
            let mut tx = self.write().await?;
            sqlx::query(FORGET_PART)
                .bind(id.to_string())
                .execute(on(&mut tx))
                .await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Of these recordings, those whose part a later download may go on with, or that may be being fetched. The parts of
    /// all others (archived, given up, left out, unknown) only take up room.
    pub async fn resumable(&self, ids: &[RecordingId]) -> Result<Vec<RecordingId>> {
        during("look for parts of use", async {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let found: Vec<String> = sqlx::query_scalar(RESUMABLE)
                .bind(json(&ids)?)
                .fetch_all(self.read())
                .await?;
            found.iter().map(|id| recording_id(id)).collect()
        })
        .await
    }
}
