//! One row for every pass: what it saw, what it asked, how it ended.

use chrono::{DateTime, Utc};

use crate::model::{time, words};
use crate::store::rows::statements;
use crate::store::{Result, Store, during, on};

statements! {
    INTERRUPT_PASSES = "UPDATE pass SET outcome = 'interrupted', ended_at = ? WHERE kind = ? AND outcome = 'running'";
    BEGIN_PASS = "INSERT INTO pass (kind, started_at) VALUES (?, ?)";
    END_PASS = "UPDATE pass SET ended_at = ?, sessions_seen = ?, sessions_listed = ?, recordings_seen = ?,
         recordings_new = ?, requests = ?, outcome = ?, error = ? WHERE id = ?";
    LAST_COMPLETE = "SELECT max(started_at) FROM pass WHERE kind = ? AND outcome = 'complete'";
    PRUNE_PASSES = "DELETE FROM pass WHERE started_at < ? AND id NOT IN
         (SELECT max(id) FROM pass WHERE outcome = 'complete' GROUP BY kind)";
}

/// The row of a running pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass(i64);

words! {
    /// What a pass is for.
    pub enum PassKind ("a kind of pass") {
        /// New sessions, and the recordings of sessions that are due.
        Poll = "poll",
        /// All sessions and all recordings, reconciled with the database.
        Sweep = "sweep",
        /// Archived files, read again.
        Verify = "verify",
    }
}

words! {
    /// How a pass ended.
    pub enum PassOutcome ("an outcome of a pass") {
        /// It is under way.
        Running = "running",
        /// It saw everything it was to see.
        Complete = "complete",
        /// Part of it failed; what it saw is kept, progress does not move.
        Incomplete = "incomplete",
        /// The credentials were refused.
        Refused = "refused",
        /// It could not do its work at all.
        Failed = "failed",
        /// The process was asked to stop.
        Stopped = "stopped",
        /// The process ended without a word.
        Interrupted = "interrupted",
    }
}

/// What a pass saw and asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PassCounts {
    /// Session rows SignalWire sent.
    pub sessions_seen: u64,
    /// Sessions whose recordings were listed.
    pub sessions_listed: u64,
    /// Recording rows SignalWire sent, or files read.
    pub recordings_seen: u64,
    /// Of those, unknown before.
    pub recordings_new: u64,
    /// Requests to the API.
    pub requests: u64,
}

impl Store {
    /// Begins a pass: its row stays `running` until [`Store::end_pass`]. One of the same kind that is still running
    /// was given up when the database failed.
    pub async fn begin_pass(&self, kind: PassKind, now: DateTime<Utc>) -> Result<Pass> {
        during("begin a pass", async {
            let now = time::to_text(now);
            let mut tx = self.write().await?;
            sqlx::query(INTERRUPT_PASSES)
                .bind(&now)
                .bind(kind.as_str())
                .execute(on(&mut tx))
                .await?;
            let done = sqlx::query(BEGIN_PASS)
                .bind(kind.as_str())
                .bind(now)
                .execute(on(&mut tx))
                .await?;
            tx.commit().await?;
            Ok(Pass(done.last_insert_rowid()))
        })
        .await
    }

    /// Ends a pass.
    pub async fn end_pass(
        &self,
        pass: Pass,
        now: DateTime<Utc>,
        counts: PassCounts,
        outcome: PassOutcome,
        error: Option<&str>,
    ) -> Result<()> {
        during("end a pass", async {
            let mut tx = self.write().await?;
            sqlx::query(END_PASS)
                .bind(time::to_text(now))
                .bind(counts.sessions_seen.cast_signed())
                .bind(counts.sessions_listed.cast_signed())
                .bind(counts.recordings_seen.cast_signed())
                .bind(counts.recordings_new.cast_signed())
                .bind(counts.requests.cast_signed())
                .bind(outcome.as_str())
                .bind(error)
                .bind(pass.0)
                .execute(on(&mut tx))
                .await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// When the last complete pass of a kind began.
    pub async fn last_complete(&self, kind: PassKind) -> Result<Option<DateTime<Utc>>> {
        during("look for the last complete pass", async {
            let started: Option<String> = sqlx::query_scalar(LAST_COMPLETE)
                .bind(kind.as_str())
                .fetch_one(self.read())
                .await?;
            Ok(started.as_deref().and_then(time::parse))
        })
        .await
    }

    /// Forgets passes older than `before`, but never the last complete one of a kind.
    pub async fn prune_passes(&self, before: DateTime<Utc>) -> Result<()> {
        during("remove old passes", async {
            let mut tx = self.write().await?;
            sqlx::query(PRUNE_PASSES)
                .bind(time::to_text(before))
                .execute(on(&mut tx))
                .await?;
            Ok(tx.commit().await?)
        })
        .await
    }
}
