//! The recordings of one room, by its sessions.

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _, SqlitePool};

use super::super::place::Place;
use super::super::{LAST, REACH, ROWS, number};
use super::{Page, Recording, Wanted};

impl Wanted {
    pub(super) async fn by_room(
        &self,
        pool: &SqlitePool,
        room: &str,
        place: Option<Place>,
    ) -> sqlx::Result<Page> {
        let (mut place, mut rows, mut seen) = (place, Vec::new(), 0);
        let mut chunk = ROWS / 2;
        while seen < REACH {
            let sessions = self.sessions(pool, room, place.as_ref(), chunk).await?;
            let shown = place.as_ref().and_then(|place| place.shown).unwrap_or(0);
            seen += sessions.len();
            let last = sessions.len() < chunk;
            let found = self.of_sessions(pool, &sessions, shown).await?;
            let (mut current, mut number) = (0, shown);
            for (nth, row) in found {
                if rows.len() == ROWS {
                    return Ok(Page {
                        rows,
                        next: place,
                        cut: false,
                    });
                }
                number = if nth == current { number + 1 } else { 1 };
                current = nth;
                let (id, at) = &sessions[nth];
                place = Some(Place {
                    at: at.clone(),
                    id: id.clone(),
                    shown: Some(number),
                });
                rows.push(row);
            }
            if last {
                return Ok(Page {
                    rows,
                    next: None,
                    cut: false,
                });
            }
            // All of these were shown: on with the next session.
            if let Some((id, at)) = sessions.last() {
                place = Some(Place {
                    at: at.clone(),
                    id: id.clone(),
                    shown: None,
                });
            }
            if rows.len() == ROWS {
                return Ok(Page {
                    rows,
                    next: place,
                    cut: false,
                });
            }
            chunk = (2 * chunk).min(REACH / 2);
        }
        Ok(Page {
            rows,
            next: place,
            cut: true,
        })
    }

    /// The room's next sessions, and when they started. The one at `place` is among them, unless it was shown in full.
    async fn sessions(
        &self,
        pool: &SqlitePool,
        room: &str,
        place: Option<&Place>,
        limit: usize,
    ) -> sqlx::Result<Vec<(String, Option<String>)>> {
        const DATED: &str =
            "SELECT session_id, start_time FROM sessions WHERE room_name = ?1 AND start_time >= ?2
            AND start_time <= ?3 AND (start_time < ?3 OR session_id < ?4 OR session_id = ?5)
            ORDER BY start_time DESC, session_id DESC LIMIT ?6";
        const UNDATED: &str =
            "SELECT session_id, start_time FROM sessions WHERE room_name = ?1 AND ?2 = ?2
            AND start_time IS NULL AND ?3 = ?3 AND (session_id < ?4 OR session_id = ?5)
            ORDER BY session_id DESC LIMIT ?6";
        let span = self.span(place);
        let from = self.from.as_deref().map(month_before).unwrap_or_default();
        // Of which more is to be shown.
        let open = place.filter(|place| place.shown.is_some());
        let open = open.map_or("", |place| place.id.as_str());
        let mut sessions: Vec<(String, Option<String>)> = Vec::new();
        for (sql, wanted, id) in [
            (DATED, span.dated, span.id),
            (UNDATED, span.undated, span.undated_id),
        ] {
            if wanted && sessions.len() < limit {
                let found: Vec<(String, Option<String>)> = sqlx::query_as(sql)
                    .bind(room)
                    .bind(&from)
                    .bind(span.to)
                    .bind(id)
                    .bind(open)
                    .bind(number(limit - sessions.len()))
                    .fetch_all(pool)
                    .await?;
                sessions.extend(found);
            }
        }
        Ok(sessions)
    }

    /// The recordings of some sessions in order, each with its session's number; without the first `shown`.
    pub(super) async fn of_sessions(
        &self,
        pool: &SqlitePool,
        sessions: &[(String, Option<String>)],
        shown: u32,
    ) -> sqlx::Result<Vec<(usize, Recording)>> {
        let ids: Vec<&str> = sessions.iter().map(|(id, _)| id.as_str()).collect();
        let state = match self.state {
            Some(state) => format!("AND r.state = '{state}'"),
            None => String::new(),
        };
        let query = format!(
            "SELECT k.key AS nth, r.recording_id, r.room_name, r.state, r.started_at, r.duration_seconds, r.size_bytes,
                 r.concerns
             FROM json_each(?1) k CROSS JOIN recordings r ON r.session_id = k.value
             WHERE coalesce(r.started_at, '') >= ?2 AND coalesce(r.started_at, '') < ?3 {state}
             ORDER BY k.key, r.started_at DESC, r.recording_id DESC LIMIT ?4 OFFSET ?5"
        );
        let found = sqlx::query(AssertSqlSafe(query))
            .bind(serde_json::to_string(&ids).unwrap_or_default())
            .bind(self.from.as_deref().unwrap_or(""))
            .bind(self.before.as_deref().unwrap_or(LAST))
            .bind(number(ROWS + 1))
            .bind(shown)
            .fetch_all(pool)
            .await?;
        let numbered = |row: &SqliteRow| {
            let nth: i64 = row.try_get("nth")?;
            Ok((
                usize::try_from(nth).unwrap_or_default(),
                Recording::of(row)?,
            ))
        };
        found.iter().map(numbered).collect()
    }
}

/// No session lasts longer: one that started before has no recording of that day.
fn month_before(day: &str) -> String {
    let day = day.parse::<chrono::NaiveDate>().ok();
    let before = day.and_then(|day| day.checked_sub_days(chrono::Days::new(31)));
    before.map(|day| day.to_string()).unwrap_or_default()
}
