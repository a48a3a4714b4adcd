//! Which parts on the disk are of any use still.

use super::recordings::recording_id;
use super::sessions::json;
use super::{Result, Store};
use crate::model::RecordingId;

impl Store {
    /// Of these recordings, those whose part a later download may go on with. The parts of all others
    /// (archived, given up, left out, unknown) only take up room.
    ///
    /// # Errors
    /// [`super::Error`], if the database fails.
    pub async fn resumable(&self, ids: &[RecordingId]) -> Result<Vec<RecordingId>> {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let found: Vec<String> = sqlx::query_scalar(
            "SELECT r.id FROM json_each(?) j CROSS JOIN recording r ON r.id = j.value
             WHERE r.state IN ('waiting', 'pending', 'downloading', 'damaged')",
        )
        .bind(json(&ids)?)
        .fetch_all(self.read())
        .await?;
        found.iter().map(|id| recording_id(id)).collect()
    }
}
