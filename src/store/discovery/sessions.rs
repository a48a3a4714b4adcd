//! Sessions: upserted a page at a time, listed when due, settled in the end.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::model::{Session, SessionId, SessionStatus, time};
use crate::store::rows::{at, json, row_ids, statements};
use crate::store::{Error, LONGEST_WAIT, Result, Seen, Store, during, on};

statements! {
    UPSERT_SESSIONS = "INSERT INTO session (id, room_name, status, start_time, end_time, created_at, ended_at,
            first_seen_at, described_at, next_list_at, upstream)
         SELECT value ->> 'id', value ->> 'room_name', value ->> 'status', value ->> 'start_time',
            value ->> 'end_time', value ->> 'created_at', value ->> 'ended_at', ?2, ?2, ?2,
            value ->> 'upstream'
         FROM json_each(?1) WHERE true
         ON CONFLICT (id) DO UPDATE SET room_name = excluded.room_name, status = excluded.status,
            start_time = excluded.start_time, end_time = excluded.end_time,
            created_at = excluded.created_at, ended_at = excluded.ended_at,
            described_at = coalesce(session.described_at, excluded.described_at),
            next_list_at = ?2, settled_at = NULL, upstream_gone_at = NULL, upstream = excluded.upstream
         WHERE session.upstream_gone_at IS NOT NULL OR session.upstream IS NOT excluded.upstream
            AND (excluded.status IS NOT 'in-progress'
                OR json_remove(session.upstream, '$.duration', '$.cost_in_dollars')
                    IS NOT json_remove(excluded.upstream, '$.duration', '$.cost_in_dollars'))";
    ROWS_OF_SESSIONS = "SELECT group_concat(s.rowid) FROM json_each(?) j CROSS JOIN session s ON s.id = j.value ->> 'id'";
    STUB_SESSIONS = "SELECT row, id, status, start_time AS started_at, ended_at, coalesce(next_list_at, first_seen_at) AS next_list_at,
            true AS stub, unlisted_since IS NOT NULL AS put_off
         FROM session WHERE described_at IS NULL AND upstream_gone_at IS NULL LIMIT ?";
    DUE_SESSIONS = "SELECT row, id, status, coalesce(start_time, created_at, first_seen_at) AS started_at, ended_at,
            next_list_at,
            described_at IS NULL AS stub, unlisted_since IS NOT NULL AS put_off
         FROM session
         WHERE next_list_at IS NOT NULL AND (next_list_at <= ?1 OR next_list_at > ?5)
           AND (next_list_at, rowid) > (?2, ?3)
         ORDER BY next_list_at, rowid LIMIT ?4";
    SESSION_OPEN = "SELECT EXISTS (SELECT 1 FROM recording INDEXED BY recording_unfinished
         WHERE session_id = ? AND upstream_status IS NOT 'completed' AND upstream_gone_at IS NULL)";
    SESSION_LISTED = "UPDATE session SET listed_at = iif(?4, ?2, listed_at), next_list_at = ?3,
         unlisted_since = NULL, list_error = NULL, settled_at = CASE WHEN ?3 IS NULL THEN ?2 END WHERE id = ?1";
    UNLISTED_SINCE = "SELECT unlisted_since FROM session WHERE id = ?";
    PUT_OFF = "UPDATE session SET next_list_at = max(next_list_at, ?2), list_error = ?3,
         unlisted_since = coalesce(unlisted_since, ?4) WHERE id = ?1";
    LIST_PUT_OFF = "UPDATE session SET next_list_at = ? WHERE unlisted_since IS NOT NULL AND next_list_at IS NOT NULL";
    SESSION_GONE = "UPDATE session SET upstream_gone_at = coalesce(upstream_gone_at, ?2), next_list_at = NULL,
         settled_at = coalesce(settled_at, ?2), unlisted_since = NULL, list_error = NULL WHERE id = ?1";
}

/// The shortest step: what is due "at the next pass" must not be due again in this one.
pub const NEXT_PASS: TimeDelta = TimeDelta::milliseconds(1);

/// For how long a session is put off whose recordings can't be listed.
const SHORTEST_PUT_OFF: TimeDelta = TimeDelta::seconds(30);
const LONGEST_PUT_OFF: TimeDelta = TimeDelta::minutes(15);

/// A session whose recordings are due to be listed.
#[derive(Debug, Clone, PartialEq)]
pub struct DueSession {
    /// Its id.
    pub id: SessionId,
    /// SignalWire's word for its status.
    pub status: SessionStatus,
    /// When it started, as well as it is known: when it was first seen, if nothing else is.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended, as well as it is known; absent while it runs.
    pub ended_at: Option<DateTime<Utc>>,
    /// It was never described: known from a recording alone.
    pub stub: bool,
    /// Listing its recordings failed before.
    pub put_off: bool,
    /// When its recordings are due, for going on after it.
    pub next_list_at: DateTime<Utc>,
    /// Its place among those that are due at the same time.
    pub row: i64,
}

/// How far back the sessions are known for sure: the newest of each kind of time that a complete walk saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Horizon {
    /// The newest `created_at`.
    pub created: Option<DateTime<Utc>>,
    /// The newest `start_time`.
    pub started: Option<DateTime<Utc>>,
}

impl Horizon {
    /// The same, but not after `now`: one garbled date in the future must not stop walks early for ever.
    #[must_use]
    pub fn not_after(self, now: DateTime<Utc>) -> Self {
        let cap = |time: Option<DateTime<Utc>>| time.map(|time| time.min(now));
        Self {
            created: cap(self.created),
            started: cap(self.started),
        }
    }
}

#[derive(Serialize)]
struct SessionRow<'a> {
    id: String,
    room_name: Option<&'a str>,
    status: Option<&'a str>,
    start_time: Option<String>,
    end_time: Option<String>,
    created_at: Option<String>,
    ended_at: Option<String>,
    upstream: &'a str,
}

impl Store {
    /// Writes a page of sessions as SignalWire describes them. New and changed ones become due at once; that
    /// a running one lasts and costs more than before is no change. A sweep notes them as `seen`.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database fails; then nothing of the page is kept.
    pub async fn apply_sessions(
        &self,
        page: &[Session],
        now: DateTime<Utc>,
        seen: Option<&mut Seen>,
    ) -> Result<()> {
        during("write sessions", async {
            let text = |time: Option<DateTime<Utc>>| time.map(time::to_text);
            let rows: Vec<_> =
                page.iter()
                    .map(|session| SessionRow {
                        id: session.id.to_string(),
                        room_name: session.room_name.as_deref(),
                        status: session.status.as_str(),
                        start_time: text(session.start_time),
                        end_time: text(session.end_time),
                        created_at: text(session.created_at),
                        // One that is over without any time counts from when that was first seen.
                        ended_at: text(session.ended_at().or_else(|| {
                            (session.status == SessionStatus::Completed).then_some(now)
                        })),
                        upstream: &session.upstream,
                    })
                    .collect();
            let rows = json(&rows)?;
            let mut tx = self.write().await?;
            sqlx::query(UPSERT_SESSIONS)
                .bind(&rows)
                .bind(time::to_text(now))
                .execute(on(&mut tx))
                .await?;
            if let Some(seen) = seen {
                let rows = sqlx::query_scalar(ROWS_OF_SESSIONS)
                    .bind(&rows)
                    .fetch_one(on(&mut tx))
                    .await?;
                seen.sessions.extend(row_ids(rows)?);
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Sessions known from a recording alone, still to be asked for.
    pub async fn stub_sessions(&self, limit: u32) -> Result<Vec<DueSession>> {
        during("look for sessions without a description", async {
            sqlx::query(STUB_SESSIONS)
                .bind(limit)
                .fetch_all(self.read())
                .await?
                .iter()
                .map(due_session)
                .collect()
        })
        .await
    }

    /// Up to `limit` sessions due at `now`, in the order they fell due, after the one given.
    pub async fn due_sessions(
        &self,
        now: DateTime<Utc>,
        after: Option<&DueSession>,
        limit: u32,
    ) -> Result<Vec<DueSession>> {
        during("look for sessions to list", async {
            let (after_time, after_row) = after
                .map(|due| (time::to_text(due.next_list_at), due.row))
                .unwrap_or_default();
            sqlx::query(DUE_SESSIONS)
                .bind(time::to_text(now))
                .bind(after_time)
                .bind(after_row)
                .bind(limit)
                .bind(time::to_text(now + LONGEST_WAIT))
                .fetch_all(self.read())
                .await?
                .iter()
                .map(due_session)
                .collect()
        })
        .await
    }

    /// Whether some recording of the session is not completed upstream.
    pub async fn session_open(&self, id: SessionId) -> Result<bool> {
        during("look at a session", async {
            Ok(sqlx::query_scalar(SESSION_OPEN)
                .bind(id.to_string())
                .fetch_one(self.read())
                .await?)
        })
        .await
    }

    /// Notes that a session's recordings were listed, as a `whole` or with some that could not be read, and
    /// when they are due again; `None` settles it.
    pub async fn session_listed(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        next: Option<DateTime<Utc>>,
        whole: bool,
    ) -> Result<()> {
        during("note that a session was listed", async {
            let mut tx = self.write().await?;
            sqlx::query(SESSION_LISTED)
                .bind(id.to_string())
                .bind(time::to_text(now))
                .bind(next.map(time::to_text))
                .bind(whole)
                .execute(on(&mut tx))
                .await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Puts off a session whose recordings could not be listed: it must not stand before the others at every pass.
    /// It is listed again after half a minute, then after as long as listing it has failed, a quarter of an hour at
    /// the most.
    pub async fn put_off(&self, id: SessionId, now: DateTime<Utc>, error: &str) -> Result<()> {
        during("put a session off", async {
            let mut tx = self.write().await?;
            let since: Option<String> = sqlx::query_scalar(UNLISTED_SINCE)
                .bind(id.to_string())
                .fetch_optional(on(&mut tx))
                .await?
                .flatten();
            let since = since.as_deref().and_then(time::parse).unwrap_or(now);
            let wait = (now - since).clamp(SHORTEST_PUT_OFF, LONGEST_PUT_OFF);
            sqlx::query(PUT_OFF)
                .bind(id.to_string())
                .bind(time::to_text(now + wait))
                .bind(error)
                .bind(time::to_text(now))
                .execute(on(&mut tx))
                .await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Makes the sessions due that are put off: whoever starts a single run wants to know now.
    pub async fn list_put_off(&self, now: DateTime<Utc>) -> Result<()> {
        during("make sessions due that were put off", async {
            let mut tx = self.write().await?;
            sqlx::query(LIST_PUT_OFF)
                .bind(time::to_text(now))
                .execute(on(&mut tx))
                .await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Notes that a session is gone upstream: nothing more can be listed.
    pub async fn session_gone(&self, id: SessionId, now: DateTime<Utc>) -> Result<()> {
        during("note that a session is gone", async {
            let mut tx = self.write().await?;
            sqlx::query(SESSION_GONE)
                .bind(id.to_string())
                .bind(time::to_text(now))
                .execute(on(&mut tx))
                .await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// How far back the sessions are known for sure.
    pub async fn horizon(&self) -> Result<Horizon> {
        during("read how far back sessions are known", async {
            let at = |text: Option<String>| text.as_deref().and_then(time::parse);
            Ok(Horizon {
                created: at(self.fact("sessions_known_until_created").await?),
                started: at(self.fact("sessions_known_until_started").await?),
            })
        })
        .await
    }

    /// Moves the horizon. Only a complete walk may; it may move it back too, when the newest session is
    /// gone: a walk only stops early where the list begins at the horizon or beyond.
    pub async fn set_horizon(&self, to: Horizon) -> Result<()> {
        during("note how far back sessions are known", async {
            if let Some(to) = to.created {
                self.set_fact("sessions_known_until_created", Some(&time::to_text(to)))
                    .await?;
            }
            if let Some(to) = to.started {
                self.set_fact("sessions_known_until_started", Some(&time::to_text(to)))
                    .await?;
            }
            Ok(())
        })
        .await
    }
}

fn due_session(row: &SqliteRow) -> Result<DueSession> {
    Ok(DueSession {
        id: row
            .try_get::<String, _>("id")?
            .parse()
            .map_err(|_| Error::Content("session id"))?,
        status: SessionStatus::parse(row.try_get("status")?),
        started_at: at(row, "started_at")?,
        ended_at: at(row, "ended_at")?,
        stub: row.try_get("stub")?,
        put_off: row.try_get("put_off")?,
        next_list_at: at(row, "next_list_at")?.ok_or(Error::Content("time"))?,
        row: row.try_get("row")?,
    })
}
