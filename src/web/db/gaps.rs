//! The sessions that are over and not complete.
//!
//! Two ways lead to a page of them. A walk over the sessions is short if gaps are frequent, as while a large archive is
//! filled for the first time. The view `gaps` is cheap if they are rare. Each gets a limited number of SQLite's steps,
//! and if neither suffices, the page ends after some sessions.

use sqlx::{SqliteConnection, SqlitePool};

use super::ROWS;
use super::place::Place;
use super::sessions::{Page, Session, WantedSessions};

/// SQLite's steps between two looks at the budget.
const STEPS: i32 = 1_000;
/// How many looks a walk and the view have: some milliseconds each.
const WALK: u32 = 20;
const VIEW: u32 = 40;
/// Sessions looked at if neither is enough.
const LAST_WALK: usize = 300;

/// As a table to select from: what is not complete, of the sessions. `gaps` says the same more exactly.
const OPEN: &str = "(SELECT * FROM sessions WHERE complete = 0 AND (end_time IS NOT NULL OR status = 'completed'))";

impl WantedSessions {
    pub(super) async fn gaps(&self, pool: &SqlitePool, place: Option<Place>) -> sqlx::Result<Page> {
        let mut connection = pool.acquire().await?;
        for (from, looks) in [(OPEN, WALK), ("gaps", VIEW)] {
            if let Some(mut rows) = self
                .within(&mut connection, from, looks, place.as_ref())
                .await?
            {
                let more = rows.len() > ROWS;
                rows.truncate(ROWS);
                let next = rows.last().filter(|_| more).map(Place::of_session);
                return Ok(Page {
                    rows,
                    next,
                    cut: false,
                });
            }
        }
        let (mut rows, mut next) = (Vec::new(), place);
        for session in self
            .behind(
                &mut connection,
                "sessions",
                next.clone().as_ref(),
                LAST_WALK,
            )
            .await?
        {
            if rows.len() == ROWS {
                break;
            }
            next = Some(Place::of_session(&session));
            if !session.complete && session.is_over() {
                rows.push(session);
            }
        }
        Ok(Page {
            rows,
            next,
            cut: true,
        })
    }

    /// The rows, if they can be had with so many looks.
    async fn within(
        &self,
        connection: &mut SqliteConnection,
        from: &str,
        looks: u32,
        place: Option<&Place>,
    ) -> sqlx::Result<Option<Vec<Session>>> {
        let mut left = looks;
        connection
            .lock_handle()
            .await?
            .set_progress_handler(STEPS, move || {
                left = left.saturating_sub(1);
                left > 0
            });
        let rows = self.behind(connection, from, place, ROWS + 1).await;
        connection.lock_handle().await?.remove_progress_handler();
        match rows {
            Err(error) if is_interrupted(&error) => Ok(None),
            rows => rows.map(Some),
        }
    }
}

/// Whether the looks were used up.
fn is_interrupted(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(|error| Some(error.code()?.into_owned()));
    code.as_deref() == Some("9")
}
