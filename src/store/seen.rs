//! What a sweep has seen, and what follows for the rest: a byte for each row, as a table of a million ids
//! would cost the sweep more than the recordings themselves.

use chrono::{DateTime, Utc};

use super::recordings::recording_id;
use super::sessions::json;
use super::{Error, Result, Store, on};
use crate::model::{RecordingId, SessionId, time};

/// Rows changed by one transaction: the pages of more would not fit into the cache.
const BATCH: usize = 1000;

/// The sessions and recordings that a sweep has seen so far.
#[derive(Debug, Default)]
pub struct Seen {
    pub(super) sessions: Rows,
    pub(super) recordings: Rows,
}

/// A set of row ids, which count up from 1: a byte for each, in which SQL can look.
#[derive(Debug, Default)]
pub(super) struct Rows(Vec<u8>);

impl Rows {
    pub(super) fn extend(&mut self, rows: impl IntoIterator<Item = i64>) {
        for row in rows {
            let row = usize::try_from(row).unwrap_or_default();
            if self.0.len() <= row {
                self.0.resize(row + 1, 0);
            }
            self.0[row] = 1;
        }
    }
}

/// The row ids that `group_concat` made one text of: each row of a result wakes the task that waits for it, a
/// million times.
///
/// # Errors
/// [`Error::Content`], if it is another text.
pub(super) fn row_ids(text: Option<String>) -> Result<Vec<i64>> {
    let text = text.unwrap_or_default();
    let rows = text.split(',').filter(|row| !row.is_empty());
    rows.map(|row| row.parse().map_err(|_| Error::Content("row id")))
        .collect()
}

impl Store {
    /// After a complete sweep: marks archived recordings it did not see as gone upstream, and returns
    /// those that still have to be asked for one by one, because losing them would matter.
    ///
    /// # Errors
    /// [`Error`], if the database fails.
    pub async fn vanished(&self, seen: &Seen, now: DateTime<Utc>) -> Result<Vec<RecordingId>> {
        let vanished = self
            .seen_or_not(
                &seen.recordings,
                false,
                "FROM recording WHERE state IN ('archived', 'skipped') AND upstream_gone_at IS NULL",
            )
            .await?;
        for rows in vanished.chunks(BATCH) {
            let mut tx = self.write().await?;
            // The plus keeps SQLite from going through all that are archived.
            sqlx::query(
                "UPDATE recording SET upstream_gone_at = ? WHERE rowid IN (SELECT value FROM json_each(?))
                    AND +state IN ('archived', 'skipped') AND +upstream_gone_at IS NULL",
            )
            .bind(time::to_text(now))
            .bind(json(rows)?)
            .execute(on(&mut tx))
            .await?;
            tx.commit().await?;
        }
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM recording WHERE state IN ('waiting', 'pending', 'failed', 'damaged')
                AND upstream_gone_at IS NULL AND substr(?, rowid + 1, 1) IS NOT x'01'",
        )
        .bind(&seen.recordings.0[..])
        .fetch_all(self.read())
        .await?;
        ids.iter().map(|id| recording_id(id)).collect()
    }

    /// After a complete sweep: up to `limit` described sessions it did not see.
    ///
    /// # Errors
    /// [`Error`], if the database fails.
    pub async fn unseen_sessions(&self, seen: &Seen, limit: u32) -> Result<Vec<SessionId>> {
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM session WHERE described_at IS NOT NULL AND upstream_gone_at IS NULL
                AND substr(?, rowid + 1, 1) IS NOT x'01' LIMIT ?",
        )
        .bind(&seen.sessions.0[..])
        .bind(limit)
        .fetch_all(self.read())
        .await?;
        ids.iter()
            .map(|id| id.parse().map_err(|_| Error::Content("session id")))
            .collect()
    }

    /// Settles, after a complete sweep that began at `swept_at`, every session that it saw and that
    /// ended before `ended_before` with every recording completed, and notes all it saw as listed.
    ///
    /// # Errors
    /// [`Error`], if the database fails.
    pub async fn settle_swept(
        &self,
        seen: &Seen,
        swept_at: DateTime<Utc>,
        ended_before: DateTime<Utc>,
    ) -> Result<()> {
        let open = self
            .seen_or_not(
                &seen.sessions,
                true,
                "FROM session WHERE next_list_at IS NOT NULL",
            )
            .await?;
        for rows in open.chunks(BATCH) {
            let mut tx = self.write().await?;
            sqlx::query(
                "UPDATE session AS s SET listed_at = ?1,
                    settled_at = CASE WHEN s.ended_at < ?2 THEN ?1 END,
                    next_list_at = CASE WHEN s.ended_at < ?2 THEN NULL ELSE s.next_list_at END
                 WHERE s.rowid IN (SELECT value FROM json_each(?3)) AND s.next_list_at IS NOT NULL
                   AND s.described_at IS NOT NULL
                   AND NOT EXISTS (SELECT 1 FROM recording r INDEXED BY recording_unfinished
                        WHERE r.session_id = s.id
                        AND r.upstream_status IS NOT 'completed' AND r.upstream_gone_at IS NULL)",
            )
            .bind(time::to_text(swept_at))
            .bind(time::to_text(ended_before))
            .bind(json(rows)?)
            .execute(on(&mut tx))
            .await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// The rows of a query that are among `seen`, or are not.
    async fn seen_or_not(&self, seen: &Rows, among: bool, query: &'static str) -> Result<Vec<i64>> {
        let query = format!(
            "SELECT group_concat(rowid) {query} AND (substr(?, rowid + 1, 1) IS x'01') = ?"
        );
        let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
            .bind(&seen.0[..])
            .bind(among)
            .fetch_one(self.read())
            .await?;
        row_ids(rows)
    }
}
