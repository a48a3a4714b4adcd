//! What a sweep has seen, and what follows for the rest: a byte for each row, as a table of a million ids
//! would cost the sweep more than the recordings themselves.

use chrono::{DateTime, Utc};

use crate::model::{RecordingId, SessionId, State, time};
use crate::store::rows::{json, recording_id, row_ids, statements};
use crate::store::{Error, Result, Store, during, on};

statements! {
    UNSEEN = "SELECT group_concat(rowid) FILTER (WHERE state NOT IN ('archived', 'skipped')),
            group_concat(rowid) FILTER (WHERE state IN ('archived', 'skipped'))
         FROM recording WHERE state IN ('waiting', 'skipped', 'pending', 'archived', 'damaged')
            AND upstream_gone_at IS NULL AND substr(?, rowid + 1, 1) IS NOT x'01'";
    UNSEEN_RECORDINGS = "SELECT r.id, r.session_id, r.state
         FROM json_each(?) j CROSS JOIN recording r ON r.rowid = j.value ORDER BY j.key";
    UNSEEN_SESSIONS = "SELECT s.id FROM json_each(?) j CROSS JOIN session s ON s.rowid = j.value ORDER BY j.key";
    SETTLE_SWEPT = "UPDATE session AS s SET listed_at = ?1,
            settled_at = CASE WHEN s.ended_at < ?2 THEN ?1 END, unlisted_since = NULL, list_error = NULL,
            next_list_at = CASE WHEN s.ended_at < ?2 THEN NULL ELSE s.next_list_at END
         WHERE s.rowid IN (SELECT value FROM json_each(?3)) AND s.next_list_at IS NOT NULL
           AND s.described_at IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM recording r INDEXED BY recording_unfinished
                WHERE r.session_id = s.id
                AND r.upstream_status IS NOT 'completed' AND r.upstream_gone_at IS NULL)";
}

/// Rows changed by one transaction: the pages of more would not fit into the cache.
const BATCH: usize = 1000;

/// The sessions and recordings that a sweep has seen so far.
#[derive(Debug, Default)]
pub struct Seen {
    pub(super) sessions: Rows,
    pub(super) recordings: Rows,
}

/// What SignalWire was known to have and a sweep did not see: the ids of rows.
#[derive(Debug, Default)]
pub struct Unseen {
    /// Recordings that are not archived: losing them would matter.
    pub open: Vec<i64>,
    /// Recordings that are archived, or left out by the filter.
    pub kept: Vec<i64>,
    /// Sessions.
    pub sessions: Vec<i64>,
}

/// A recording that a sweep did not see.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct UnseenRecording {
    pub id: RecordingId,
    pub session_id: Option<SessionId>,
    pub state: State,
}

impl Seen {
    /// How many recordings it saw.
    #[must_use]
    pub fn recordings(&self) -> u64 {
        self.recordings.count()
    }

    /// How many sessions it saw.
    #[must_use]
    pub fn sessions(&self) -> u64 {
        self.sessions.count()
    }
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

    fn count(&self) -> u64 {
        self.0.iter().map(|seen| u64::from(*seen)).sum()
    }
}

impl Store {
    /// After both walks: what SignalWire was known to have and they did not see.
    pub async fn unseen(&self, seen: &Seen) -> Result<Unseen> {
        during("look for what a sweep did not see", async {
            let (open, kept) = sqlx::query_as(UNSEEN)
                .bind(&seen.recordings.0[..])
                .fetch_one(self.read())
                .await?;
            let sessions = self
                .seen_or_not(
                    &seen.sessions,
                    false,
                    "FROM session WHERE described_at IS NOT NULL AND upstream_gone_at IS NULL",
                )
                .await?;
            Ok(Unseen {
                open: row_ids(open)?,
                kept: row_ids(kept)?,
                sessions,
            })
        })
        .await
    }

    /// The recordings of some rows, in their order.
    pub async fn unseen_recordings(&self, rows: &[i64]) -> Result<Vec<UnseenRecording>> {
        during("read recordings that a sweep did not see", async {
            let found: Vec<(String, Option<String>, String)> = sqlx::query_as(UNSEEN_RECORDINGS)
                .bind(json(rows)?)
                .fetch_all(self.read())
                .await?;
            found
                .into_iter()
                .map(|(id, session, state)| {
                    Ok(UnseenRecording {
                        id: recording_id(&id)?,
                        session_id: session.and_then(|id| id.parse().ok()),
                        state: state.parse()?,
                    })
                })
                .collect()
        })
        .await
    }

    /// The sessions of some rows, in their order.
    pub async fn unseen_sessions(&self, rows: &[i64]) -> Result<Vec<SessionId>> {
        during("read sessions that a sweep did not see", async {
            let ids: Vec<String> = sqlx::query_scalar(UNSEEN_SESSIONS)
                .bind(json(rows)?)
                .fetch_all(self.read())
                .await?;
            ids.iter()
                .map(|id| id.parse().map_err(|_| Error::Content("session id")))
                .collect()
        })
        .await
    }

    /// Settles, after a complete sweep that began at `swept_at`, every session that it saw and that
    /// ended before `ended_before` with every recording completed, and notes all it saw as listed.
    pub async fn settle_swept(
        &self,
        seen: &Seen,
        swept_at: DateTime<Utc>,
        ended_before: DateTime<Utc>,
    ) -> Result<()> {
        during("settle sessions after a sweep", async {
            let open = self
                .seen_or_not(
                    &seen.sessions,
                    true,
                    "FROM session WHERE next_list_at IS NOT NULL",
                )
                .await?;
            for rows in open.chunks(BATCH) {
                let mut tx = self.write().await?;
                sqlx::query(SETTLE_SWEPT)
                    .bind(time::to_text(swept_at))
                    .bind(time::to_text(ended_before))
                    .bind(json(rows)?)
                    .execute(on(&mut tx))
                    .await?;
                tx.commit().await?;
            }
            Ok(())
        })
        .await
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
