//! What a sweep has seen, and what follows for the rest: a bit for each row, as a table of a million ids
//! would cost the sweep more than the recordings themselves.

use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;

use super::recordings::recording_id;
use super::sessions::json;
use super::{Error, Result, Store, on};
use crate::model::{RecordingId, SessionId, time};

/// Rows changed by one transaction.
const BATCH: usize = 10_000;

/// The sessions and recordings that a sweep has seen so far.
#[derive(Debug, Default)]
pub struct Seen {
    pub(super) sessions: Rows,
    pub(super) recordings: Rows,
}

/// A set of row ids, which count up from 1.
#[derive(Debug, Default)]
pub(super) struct Rows(Vec<u64>);

impl Rows {
    pub(super) fn insert(&mut self, row: i64) {
        let (word, bit) = place(row);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= bit;
    }

    fn contains(&self, row: i64) -> bool {
        let (word, bit) = place(row);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

fn place(row: i64) -> (usize, u64) {
    let row = usize::try_from(row).unwrap_or_default();
    (row / 64, 1 << (row % 64))
}

impl Store {
    /// After a complete sweep: marks archived recordings it did not see as gone upstream, and returns
    /// those that still have to be asked for one by one, because losing them would matter.
    ///
    /// # Errors
    /// [`Error`], if the database fails.
    pub async fn vanished(&self, seen: &Seen, now: DateTime<Utc>) -> Result<Vec<RecordingId>> {
        let unseen = self
            .others(
                &seen.recordings,
                "SELECT rowid FROM recording WHERE state IN ('archived', 'skipped')",
            )
            .await?;
        for rows in unseen.chunks(BATCH) {
            let mut tx = self.write().await?;
            sqlx::query(
                "UPDATE recording SET upstream_gone_at = ? WHERE rowid IN (SELECT value FROM json_each(?))
                    AND state IN ('archived', 'skipped') AND upstream_gone_at IS NULL",
            )
            .bind(time::to_text(now))
            .bind(json(rows)?)
            .execute(on(&mut tx))
            .await?;
            tx.commit().await?;
        }
        let unseen = self
            .others(
                &seen.recordings,
                "SELECT rowid FROM recording WHERE state IN ('waiting', 'pending', 'failed', 'damaged')",
            )
            .await?;
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT r.id FROM json_each(?) j CROSS JOIN recording r ON r.rowid = j.value
             WHERE r.upstream_gone_at IS NULL",
        )
        .bind(json(&unseen)?)
        .fetch_all(self.read())
        .await?;
        ids.iter().map(|id| recording_id(id)).collect()
    }

    /// After a complete sweep: up to `limit` described sessions it did not see.
    ///
    /// # Errors
    /// [`Error`], if the database fails.
    pub async fn unseen_sessions(&self, seen: &Seen, limit: u32) -> Result<Vec<SessionId>> {
        let mut unseen = self
            .others(
                &seen.sessions,
                "SELECT rowid FROM session WHERE described_at IS NOT NULL AND upstream_gone_at IS NULL",
            )
            .await?;
        unseen.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT s.id FROM json_each(?) j CROSS JOIN session s ON s.rowid = j.value",
        )
        .bind(json(&unseen)?)
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
        let open = "SELECT rowid FROM session WHERE next_list_at IS NOT NULL";
        let mut open: Vec<i64> = sqlx::query_scalar(open).fetch_all(self.read()).await?;
        open.retain(|row| seen.sessions.contains(*row));
        for rows in open.chunks(BATCH) {
            let mut tx = self.write().await?;
            sqlx::query(
                "UPDATE session AS s SET listed_at = ?1,
                    settled_at = CASE WHEN s.ended_at < ?2 THEN ?1 END,
                    next_list_at = CASE WHEN s.ended_at < ?2 THEN NULL ELSE s.next_list_at END
                 WHERE s.rowid IN (SELECT value FROM json_each(?3)) AND s.next_list_at IS NOT NULL
                   AND s.described_at IS NOT NULL
                   AND NOT EXISTS (SELECT 1 FROM recording r WHERE r.session_id = s.id
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

    /// The rows that a query gives and that are not among `seen`.
    async fn others(&self, seen: &Rows, query: &'static str) -> Result<Vec<i64>> {
        let mut unseen = Vec::new();
        let mut rows = sqlx::query_scalar(query).fetch(self.read());
        while let Some(row) = rows.try_next().await? {
            if !seen.contains(row) {
                unseen.push(row);
            }
        }
        Ok(unseen)
    }
}
