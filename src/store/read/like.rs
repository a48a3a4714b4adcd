//! What the first characters of an id stand for.

use std::str::FromStr;

use sqlx::Row as _;

use crate::model::{RecordingId, SessionId};
use crate::store::rows::statements;
use crate::store::{Error, Result, Store, during};

statements! {
    // '~' follows every character of an id.
    RECORDINGS_LIKE = "SELECT r.id, r.started_at, s.room_name FROM recording r
         LEFT JOIN session s ON s.id = r.session_id WHERE r.id BETWEEN ?1 AND ?1 || '~' ORDER BY r.id LIMIT ?2";
    SESSIONS_LIKE = "SELECT id, start_time AS started_at, room_name FROM session
         WHERE id BETWEEN ?1 AND ?1 || '~' ORDER BY id LIMIT ?2";
}

/// One of the objects whose ids begin in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate<Id> {
    /// Its id.
    pub id: Id,
    /// When it started.
    pub started_at: Option<String>,
    /// Its room.
    pub room_name: Option<String>,
}

impl Store {
    /// Up to `limit` recordings whose ids begin so, in the order of their ids.
    pub async fn recordings_like(
        &self,
        prefix: &str,
        limit: u32,
    ) -> Result<Vec<Candidate<RecordingId>>> {
        self.like(RECORDINGS_LIKE, prefix, limit).await
    }

    /// Up to `limit` sessions whose ids begin so, in the order of their ids.
    pub async fn sessions_like(
        &self,
        prefix: &str,
        limit: u32,
    ) -> Result<Vec<Candidate<SessionId>>> {
        self.like(SESSIONS_LIKE, prefix, limit).await
    }

    async fn like<Id: FromStr>(
        &self,
        statement: &'static str,
        prefix: &str,
        limit: u32,
    ) -> Result<Vec<Candidate<Id>>> {
        during("look up an id", async {
            let rows = sqlx::query(statement)
                .bind(prefix)
                .bind(limit)
                .fetch_all(self.read())
                .await?;
            let rows = rows.iter().map(|row| {
                let id: &str = row.try_get("id")?;
                Ok(Candidate {
                    id: id.parse().map_err(|_| Error::Content("id"))?,
                    started_at: row.try_get("started_at")?,
                    room_name: row.try_get("room_name")?,
                })
            });
            rows.collect()
        })
        .await
    }
}
