//! One row for every pass: what it saw, what it asked, how it ended.

use chrono::{DateTime, Utc};

use crate::model::time;
use crate::store::{Result, Store, on};

/// The row of a running pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass(i64);

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PassKind {
    /// New sessions, and the recordings of sessions that are due.
    Poll,
    /// All sessions and all recordings, reconciled with the database.
    Sweep,
    /// Archived files, read again.
    Verify,
}

impl PassKind {
    /// Its word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Sweep => "sweep",
            Self::Verify => "verify",
        }
    }
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PassOutcome {
    /// It saw everything it was to see.
    Complete,
    /// Part of it failed; what it saw is kept, progress does not move.
    Incomplete,
    /// The credentials were refused.
    Refused,
    /// It could not do its work at all.
    Failed,
    /// The process was asked to stop.
    Stopped,
}

impl PassOutcome {
    /// Its word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// What a pass saw and asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PassCounts {
    /// Session rows the vendor sent.
    pub sessions_seen: u64,
    /// Sessions whose recordings were listed.
    pub sessions_listed: u64,
    /// Recording rows the vendor sent, or files read.
    pub recordings_seen: u64,
    /// Of those, unknown before.
    pub recordings_new: u64,
    /// Requests to the API.
    pub requests: u64,
}

impl Store {
    /// Begins a pass: its row stays `running` until [`Store::end_pass`]. One of the same kind that is still running
    /// was given up when the database failed.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database fails.
    pub async fn begin_pass(&self, kind: PassKind, now: DateTime<Utc>) -> Result<Pass> {
        let now = time::to_text(now);
        let mut tx = self.write().await?;
        sqlx::query(
            "UPDATE pass SET outcome = 'interrupted', ended_at = ? WHERE kind = ? AND outcome = 'running'",
        )
        .bind(&now)
        .bind(kind.as_str())
        .execute(on(&mut tx))
        .await?;
        let done = sqlx::query("INSERT INTO pass (kind, started_at) VALUES (?, ?)")
            .bind(kind.as_str())
            .bind(now)
            .execute(on(&mut tx))
            .await?;
        tx.commit().await?;
        Ok(Pass(done.last_insert_rowid()))
    }

    /// Ends a pass.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database fails.
    pub async fn end_pass(
        &self,
        pass: Pass,
        now: DateTime<Utc>,
        counts: PassCounts,
        outcome: PassOutcome,
        error: Option<&str>,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "UPDATE pass SET ended_at = ?, sessions_seen = ?, sessions_listed = ?, recordings_seen = ?,
                recordings_new = ?, requests = ?, outcome = ?, error = ? WHERE id = ?",
        )
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
    }

    /// When the last complete pass of a kind began.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database fails.
    pub async fn last_complete(&self, kind: PassKind) -> Result<Option<DateTime<Utc>>> {
        let started: Option<String> = sqlx::query_scalar(
            "SELECT max(started_at) FROM pass WHERE kind = ? AND outcome = 'complete'",
        )
        .bind(kind.as_str())
        .fetch_one(self.read())
        .await?;
        Ok(started.as_deref().and_then(time::parse))
    }

    /// Forgets passes older than `before`, but never the last complete one of a kind.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database fails.
    pub async fn prune_passes(&self, before: DateTime<Utc>) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "DELETE FROM pass WHERE started_at < ? AND id NOT IN
                (SELECT max(id) FROM pass WHERE outcome = 'complete' GROUP BY kind)",
        )
        .bind(time::to_text(before))
        .execute(on(&mut tx))
        .await?;
        Ok(tx.commit().await?)
    }
}
