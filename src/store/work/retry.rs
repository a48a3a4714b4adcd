//! Recordings that are tried again at once, because a person asks for it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::model::{RecordingId, State, time};
use crate::store::rows::{json, recording_id, statements};
use crate::store::{Result, Store, during, on};

statements! {
    STATES_OF = "SELECT j.value, r.state FROM json_each(?) j LEFT JOIN recording r ON r.id = j.value";
    ALL_STUCK = "SELECT r.id, r.state FROM failures f JOIN recording r ON r.id = f.recording_id
         WHERE r.state IN ('pending', 'lost', 'damaged') ORDER BY r.started_at, r.id";
    MAKE_DUE = "UPDATE recording SET retries = 0, next_attempt_at = NULL, waits_for = NULL, upstream_gone_at = NULL,
            pending_since = iif(damage IS NOT NULL OR upstream_status = 'completed', coalesce(pending_since, ?2),
                pending_since),
            state = CASE WHEN damage IS NOT NULL THEN 'damaged'
                WHEN upstream_status = 'completed' THEN 'pending' ELSE 'waiting' END
         WHERE id IN (SELECT value FROM json_each(?1)) AND +state IN ('pending', 'lost', 'damaged')
         RETURNING id, state";
}

/// What became of one recording that was to be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retried {
    /// The recording.
    pub id: RecordingId,
    /// The state it was in; `None`: it is unknown.
    pub was: Option<State>,
    /// The state it has now; `None`: it was not in a state to be tried again, and nothing was changed.
    pub now: Option<State>,
}

impl Store {
    /// Makes recordings due at once: those named, or (`None`) all that are stuck, that is in the view `failures`.
    ///
    /// Those that were gone upstream count as there again: the next attempt finds out.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database fails; then nothing is changed.
    pub async fn retry(
        &self,
        ids: Option<&[RecordingId]>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Retried>> {
        during("make recordings due again", async {
            let named = ids.map(|ids| ids.iter().map(ToString::to_string).collect::<Vec<_>>());
            let named = named.as_deref().map(json).transpose()?;
            let mut tx = self.write().await?;
            let before: Vec<(String, Option<String>)> = match &named {
                Some(named) => {
                    sqlx::query_as(STATES_OF)
                        .bind(named)
                        .fetch_all(on(&mut tx))
                        .await?
                }
                None => sqlx::query_as(ALL_STUCK).fetch_all(on(&mut tx)).await?,
            };
            let ids: Vec<_> = before.iter().map(|(id, _)| id).collect();
            let changed: Vec<(String, String)> = sqlx::query_as(MAKE_DUE)
                .bind(json(&ids)?)
                .bind(time::to_text(now))
                .fetch_all(on(&mut tx))
                .await?;
            tx.commit().await?;
            let changed: HashMap<_, _> = changed.into_iter().collect();
            let state = |text: &String| text.parse::<State>();
            before
                .iter()
                .map(|(id, was)| {
                    Ok(Retried {
                        id: recording_id(id)?,
                        was: was.as_ref().map(state).transpose()?,
                        now: changed.get(id).map(state).transpose()?,
                    })
                })
                .collect()
        })
        .await
    }
}
