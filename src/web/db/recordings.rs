//! The list of recordings, newest first, a page at a time.
//!
//! Two ways lead to a page, each along an index. By time: the recordings of one state, of each state, or those with a
//! concern. By room: the sessions of the room, newest first, and then their recordings; a room has one session at a
//! time, so that this is the order of time, too. What an index does not know is checked row by row, for a bounded
//! number of rows.

mod by_room;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _, SqlitePool};

use super::place::Place;
use super::sessions::Session;
use super::{LAST, Listed, REACH, ROWS, number};
use crate::model::{ConcernKind, State};

/// One row of the list.
#[derive(Debug, Clone)]
pub(in crate::web) struct Recording {
    pub(in crate::web) id: String,
    pub(in crate::web) room_name: Option<String>,
    pub(in crate::web) state: String,
    pub(in crate::web) started_at: Option<String>,
    pub(in crate::web) duration_seconds: Option<f64>,
    pub(in crate::web) size_bytes: Option<i64>,
    pub(in crate::web) concerns: Option<String>,
}

/// Which recordings.
#[derive(Debug, Clone, Default)]
pub(in crate::web) struct Wanted {
    /// Of this room, by its exact name.
    pub(in crate::web) room: Option<String>,
    /// Started on this day, or later.
    pub(in crate::web) from: Option<String>,
    /// Started before this day.
    pub(in crate::web) before: Option<String>,
    pub(in crate::web) state: Option<State>,
    /// With a concern of one of these kinds; empty: with or without.
    pub(in crate::web) concerns: Vec<ConcernKind>,
}

/// Rows between two places of an index; see [`Wanted::span`].
struct Span<'a> {
    from: &'a str,
    to: &'a str,
    id: &'a str,
    dated: bool,
    undated: bool,
    undated_id: &'a str,
}

/// Rows that are looked at in one piece if an index does not know which are wanted.
const ROWS_LOOKED_AT: usize = 400;

const COLUMNS: &str =
    "recording_id, room_name, state, started_at, duration_seconds, size_bytes, concerns";

type Page = Listed<Recording, Place>;

impl Wanted {
    /// A page that begins behind `place`.
    pub(in crate::web) async fn read(
        &self,
        pool: &SqlitePool,
        place: Option<Place>,
    ) -> sqlx::Result<Page> {
        match &self.room {
            Some(room) if self.in_session_order(pool, room).await? => {
                self.by_room(pool, room, place).await
            }
            _ => self.by_time(pool, place).await,
        }
    }

    /// Whether the room's sessions lead to the rows soon: nearly all recordings are archived; of what is rare, only if
    /// the sessions are few.
    async fn in_session_order(&self, pool: &SqlitePool, room: &str) -> sqlx::Result<bool> {
        const COUNT: &str =
            "SELECT count(*) FROM (SELECT 1 FROM sessions WHERE room_name = ?1 LIMIT ?2)";
        if !self.concerns.is_empty() {
            return Ok(false);
        }
        if self.state.is_none_or(|state| state == State::Archived) {
            return Ok(true);
        }
        let sessions: i64 = sqlx::query_scalar(COUNT)
            .bind(room)
            .bind(number(REACH))
            .fetch_one(pool)
            .await?;
        Ok(sessions < number(REACH))
    }

    /// Whether a row is wanted, of what the index does not know.
    fn fits(&self, row: &Recording) -> bool {
        let kind = |kind: &ConcernKind| {
            let concerns = row.concerns.as_deref().unwrap_or_default();
            concerns.split(',').any(|one| one == kind.as_str())
        };
        let room = self.room.is_none() || self.room == row.room_name;
        room && (self.concerns.is_empty() || self.concerns.iter().any(kind))
            && (self.concerns.is_empty()
                || self.state.is_none_or(|state| state.as_str() == row.state))
    }

    async fn by_time(&self, pool: &SqlitePool, place: Option<Place>) -> sqlx::Result<Page> {
        let (mut place, mut rows, mut seen) = (place, Vec::new(), 0);
        // If most rows fit, the first rows are enough.
        for limit in [ROWS + 1, 4 * ROWS, ROWS_LOOKED_AT] {
            let found = self.behind(pool, place.as_ref(), limit).await?;
            seen += found.len();
            let last = found.len() < limit;
            for row in found {
                if rows.len() == ROWS {
                    if self.fits(&row) {
                        return Ok(Page {
                            rows,
                            next: place,
                            cut: false,
                        });
                    }
                    continue;
                }
                place = Some(Place {
                    at: row.started_at.clone(),
                    id: row.id.clone(),
                    shown: None,
                });
                if self.fits(&row) {
                    rows.push(row);
                }
            }
            if last {
                return Ok(Page {
                    rows,
                    next: None,
                    cut: false,
                });
            }
            if rows.len() == ROWS {
                return Ok(Page {
                    rows,
                    next: place,
                    cut: false,
                });
            }
        }
        tracing::debug!(seen, "a list ends before its page is full");
        Ok(Page {
            rows,
            next: place,
            cut: true,
        })
    }

    /// The next rows by the index, at most `limit`.
    async fn behind(
        &self,
        pool: &SqlitePool,
        place: Option<&Place>,
        limit: usize,
    ) -> sqlx::Result<Vec<Recording>> {
        // One upper bound: of two, SQLite might use the one that leaves all newer rows to be read.
        const DATED: &str =
            "started_at >= ?1 AND started_at <= ?2 AND (started_at < ?2 OR recording_id < ?3)";
        const UNDATED: &str = "started_at IS NULL AND ?1 = ?1 AND ?2 = ?2 AND recording_id < ?3";
        let span = self.span(place);
        let mut rows = Vec::new();
        for (condition, order, wanted) in [
            (DATED, "started_at DESC, recording_id DESC", span.dated),
            (UNDATED, "recording_id DESC", span.undated),
        ] {
            if !wanted || rows.len() >= limit {
                continue;
            }
            let id = if condition == DATED {
                span.id
            } else {
                span.undated_id
            };
            let found = sqlx::query(AssertSqlSafe(self.query(condition, order)))
                .bind(span.from)
                .bind(span.to)
                .bind(id)
                .bind(number(limit - rows.len()))
                .fetch_all(pool)
                .await?;
            for row in &found {
                rows.push(Recording::of(row)?);
            }
        }
        Ok(rows)
    }

    /// What is behind `place` and of the wanted days. What has no time comes last, and is of no day.
    fn span<'a>(&'a self, place: Option<&'a Place>) -> Span<'a> {
        let id = place.map_or(LAST, |place| place.id.as_str());
        let at = place.map(|place| place.at.as_deref());
        let days = self.from.is_some() || self.before.is_some();
        Span {
            from: self.from.as_deref().unwrap_or(""),
            to: at.flatten().or(self.before.as_deref()).unwrap_or(LAST),
            id,
            dated: at != Some(None),
            undated: !days,
            undated_id: if at == Some(None) { id } else { LAST },
        }
    }

    /// The newest rows of one index, or of each state's part of it, merged.
    fn query(&self, condition: &str, order: &str) -> String {
        let one = |source: &str| {
            format!(
                "SELECT {COLUMNS} FROM recordings WHERE {source} AND {condition} ORDER BY {order} LIMIT ?4"
            )
        };
        match (self.concerns.is_empty(), self.state) {
            // The plus keeps SQLite from the index of states, which has a million rows for one that is odd.
            (false, _) => one("concerns IS NOT NULL AND +state <> ''"),
            (true, Some(state)) => one(&format!("state = '{state}'")),
            (true, None) => {
                let all = State::ALL
                    .map(|state| format!("SELECT * FROM ({})", one(&format!("state = '{state}'"))));
                format!("{} ORDER BY {order} LIMIT ?4", all.join(" UNION ALL "))
            }
        }
    }
}

impl Recording {
    /// A page of the recordings of one session.
    pub(in crate::web) async fn of_session(
        pool: &SqlitePool,
        session: &Session,
        place: Option<Place>,
    ) -> sqlx::Result<Page> {
        let shown = place.and_then(|place| place.shown).unwrap_or(0);
        let sessions = [(session.id.clone(), session.start_time.clone())];
        let found = Wanted::default()
            .of_sessions(pool, &sessions, shown)
            .await?;
        let mut rows: Vec<Self> = found.into_iter().map(|(_, row)| row).collect();
        let next = (rows.len() > ROWS).then(|| Place {
            at: session.start_time.clone(),
            id: session.id.clone(),
            shown: Some(shown.saturating_add(u32::try_from(ROWS).unwrap_or_default())),
        });
        rows.truncate(ROWS);
        Ok(Page {
            rows,
            next,
            cut: false,
        })
    }

    pub(super) fn of(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("recording_id")?,
            room_name: row.try_get("room_name")?,
            state: row.try_get("state")?,
            started_at: row.try_get("started_at")?,
            duration_seconds: row.try_get("duration_seconds")?,
            size_bytes: row.try_get("size_bytes")?,
            concerns: row.try_get("concerns")?,
        })
    }
}
