//! The list of rooms by name, a page at a time. What each of them takes is in the [`Snapshot`](super::Snapshot).

use sqlx::SqlitePool;

use super::{Listed, ROWS, number};

/// A room.
#[derive(Debug, Clone)]
pub(in crate::web) struct Room {
    pub(in crate::web) name: String,
    /// When its newest session started.
    pub(in crate::web) last_session: Option<String>,
}

/// Bytes that the links of a page may have in all, with names of which each byte is escaped. A name is cut, a link not.
const LINKS: usize = 6_000;

/// From name to name along the index: a room with a hundred thousand sessions costs no more than one with a single one.
const SQL: &str = "WITH RECURSIVE name (room) AS (
        SELECT (SELECT min(room_name) FROM sessions WHERE room_name > ?1)
        UNION ALL
        SELECT (SELECT min(room_name) FROM sessions WHERE room_name > name.room) FROM name WHERE name.room IS NOT NULL
        LIMIT ?2
    )
    SELECT room, (SELECT max(start_time) FROM sessions WHERE room_name = room) FROM name WHERE room IS NOT NULL";

impl Room {
    /// The rooms whose names come after `after`; the place of the next page is the last one's name.
    pub(in crate::web) async fn list(
        pool: &SqlitePool,
        after: &str,
    ) -> sqlx::Result<Listed<Self, String>> {
        let found: Vec<(String, Option<String>)> = sqlx::query_as(SQL)
            .bind(after)
            .bind(number(ROWS + 1))
            .fetch_all(pool)
            .await?;
        let mut rows: Vec<Self> = found
            .into_iter()
            .map(|(name, last_session)| Self { name, last_session })
            .collect();
        let mut length = 0;
        let fit = rows.iter().take(ROWS).take_while(|room| {
            let fits = length < LINKS;
            length += 3 * room.name.len();
            fits
        });
        let fit = fit.count();
        let more = rows.len() > fit;
        rows.truncate(fit);
        let next = rows.last().filter(|_| more).map(|room| room.name.clone());
        Ok(Listed {
            rows,
            next,
            cut: false,
        })
    }
}
