//! The list of sessions, newest first, a page at a time.

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection, SqlitePool};

use super::place::Place;
use super::{LAST, Listed, ROWS, number};

/// One row of the list.
#[derive(Debug, Clone)]
pub(in crate::web) struct Session {
    pub(in crate::web) id: String,
    pub(in crate::web) room_name: Option<String>,
    pub(in crate::web) status: Option<String>,
    pub(in crate::web) start_time: Option<String>,
    pub(in crate::web) end_time: Option<String>,
    pub(in crate::web) listed: i64,
    pub(in crate::web) archived: i64,
    pub(in crate::web) open: i64,
    pub(in crate::web) complete: bool,
    pub(in crate::web) list_error: Option<String>,
}

/// Which sessions.
#[derive(Debug, Clone, Default)]
pub(in crate::web) struct WantedSessions {
    /// Of this room, by its exact name.
    pub(in crate::web) room: Option<String>,
    /// Started on this day, or later.
    pub(in crate::web) from: Option<String>,
    /// Started before this day.
    pub(in crate::web) before: Option<String>,
    /// Only those that are over and not complete.
    pub(in crate::web) gaps: bool,
}

pub(super) const COLUMNS: &str =
    "session_id, room_name, status, start_time, end_time, recordings_listed,
    recordings_archived, recordings_open, complete, list_error";

pub(super) type Page = Listed<Session, Place>;

impl WantedSessions {
    /// A page that begins behind `place`.
    pub(in crate::web) async fn read(
        &self,
        pool: &SqlitePool,
        place: Option<Place>,
    ) -> sqlx::Result<Page> {
        if self.gaps {
            return self.gaps(pool, place).await;
        }
        let mut connection = pool.acquire().await?;
        let mut rows = self
            .behind(&mut connection, "sessions", place.as_ref(), ROWS + 1)
            .await?;
        let next = (rows.len() > ROWS).then(|| {
            rows.truncate(ROWS);
            rows.last().map(Place::of_session)
        });
        Ok(Page {
            rows,
            next: next.flatten(),
            cut: false,
        })
    }

    /// The next rows of a view of sessions, at most `limit`.
    pub(super) async fn behind(
        &self,
        connection: &mut SqliteConnection,
        view: &str,
        place: Option<&Place>,
        limit: usize,
    ) -> sqlx::Result<Vec<Session>> {
        let room = match self.room {
            Some(_) => "room_name = ?1",
            None => "?1 IS NULL",
        };
        let mut rows: Vec<Session> = Vec::new();
        let id = place.map_or(LAST, |place| place.id.as_str());
        if place.is_none_or(|place| place.at.is_some()) {
            let at = place.and_then(|place| place.at.as_deref());
            let found = sqlx::query(AssertSqlSafe(format!(
                "SELECT {COLUMNS} FROM {view} WHERE {room} AND start_time >= ?2 AND start_time <= ?3
                 AND (start_time < ?3 OR session_id < ?4) ORDER BY start_time DESC, session_id DESC LIMIT ?5"
            )))
            .bind(self.room.as_deref())
            .bind(self.from.as_deref().unwrap_or(""))
            .bind(at.or(self.before.as_deref()).unwrap_or(LAST))
            .bind(id)
            .bind(number(limit))
            .fetch_all(&mut *connection)
            .await?;
            rows = found.iter().map(Session::of).collect::<sqlx::Result<_>>()?;
        }
        // Sessions that are known only from a recording have no start. They come last, and belong to no day.
        if rows.len() < limit && self.from.is_none() && self.before.is_none() {
            let undated = place.is_some_and(|place| place.at.is_none());
            let found = sqlx::query(AssertSqlSafe(format!(
                "SELECT {COLUMNS} FROM {view} WHERE {room} AND start_time IS NULL AND session_id < ?2
                 ORDER BY session_id DESC LIMIT ?3"
            )))
            .bind(self.room.as_deref())
            .bind(if undated { id } else { LAST })
            .bind(number(limit - rows.len()))
            .fetch_all(&mut *connection)
            .await?;
            for row in &found {
                rows.push(Session::of(row)?);
            }
        }
        Ok(rows)
    }
}

impl Place {
    pub(super) fn of_session(session: &Session) -> Self {
        Self {
            at: session.start_time.clone(),
            id: session.id.clone(),
            shown: None,
        }
    }
}

impl Session {
    fn of(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("session_id")?,
            room_name: row.try_get("room_name")?,
            status: row.try_get("status")?,
            start_time: row.try_get("start_time")?,
            end_time: row.try_get("end_time")?,
            listed: row.try_get("recordings_listed")?,
            archived: row.try_get("recordings_archived")?,
            open: row.try_get("recordings_open")?,
            complete: row.try_get::<i64, _>("complete")? != 0,
            list_error: row.try_get("list_error")?,
        })
    }

    /// One session.
    pub(in crate::web) async fn read(pool: &SqlitePool, id: &str) -> sqlx::Result<Option<Self>> {
        let query = format!("SELECT {COLUMNS} FROM sessions WHERE session_id = ?1");
        let row = sqlx::query(AssertSqlSafe(query))
            .bind(id)
            .fetch_optional(pool)
            .await?;
        row.as_ref().map(Self::of).transpose()
    }

    /// Whether it has ended, as far as SignalWire said.
    pub(super) fn is_over(&self) -> bool {
        self.end_time.is_some() || self.status.as_deref() == Some("completed")
    }
}
