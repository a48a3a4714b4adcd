//! What is counted over the whole archive: a second's work for a million recordings. So it is done in the background,
//! at most for a fiftieth of the time, and only while somebody looks; pages show the last result and its age.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::SqlitePool;
use tokio::sync::watch;

use super::{Database, unavailable};
use crate::clock::Clock;
use crate::web::failure::Failure;

/// The last result is shown for so many times as long as it took to get it.
const REST: u32 = 50;
/// How long a page waits for a new result.
const WAIT: Duration = Duration::from_millis(25);
/// How long it waits if there is none at all.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// Rows shown of what needs attention, and rooms whose totals are kept.
const SHOWN: i64 = 5;
const ROOMS: i64 = 20_000;

/// The archive as a whole.
#[derive(Debug)]
pub(in crate::web) struct Snapshot {
    /// On the monotonic clock: when it was read.
    pub(in crate::web) at: Duration,
    pub(in crate::web) problems: Vec<String>,
    pub(in crate::web) states: Vec<(String, i64)>,
    pub(in crate::web) pauses: Vec<Pause>,
    pub(in crate::web) gaps: i64,
    pub(in crate::web) failures: i64,
    pub(in crate::web) failing: Vec<Failing>,
    pub(in crate::web) passes: Vec<Pass>,
    /// By the day the recordings started, oldest first.
    pub(in crate::web) days: Vec<Day>,
    pub(in crate::web) rooms: HashMap<String, Totals>,
}

#[derive(Debug)]
pub(in crate::web) struct Pause {
    pub(in crate::web) reason: String,
    pub(in crate::web) host: Option<String>,
    pub(in crate::web) error: String,
    pub(in crate::web) since: String,
}

#[derive(Debug)]
pub(in crate::web) struct Failing {
    pub(in crate::web) recording_id: String,
    pub(in crate::web) room_name: Option<String>,
    pub(in crate::web) reason: String,
}

#[derive(Debug)]
pub(in crate::web) struct Pass {
    pub(in crate::web) kind: String,
    pub(in crate::web) started_at: String,
    pub(in crate::web) outcome: String,
    pub(in crate::web) error: Option<String>,
}

#[derive(Debug)]
pub(in crate::web) struct Day {
    pub(in crate::web) date: String,
    pub(in crate::web) recordings: i64,
    pub(in crate::web) bytes: i64,
}

#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Totals {
    pub(in crate::web) recordings: i64,
    pub(in crate::web) bytes: i64,
    pub(in crate::web) seconds: Option<f64>,
}

type Outcome = Option<Result<Arc<Snapshot>, String>>;

/// The last snapshot, and whether a new one is being made.
pub(in crate::web) struct Snapshots {
    clock: Clock,
    last: watch::Sender<Outcome>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: bool,
    /// Not made again before then, on the monotonic clock.
    rest_until: Duration,
}

impl Snapshots {
    pub(in crate::web) fn new(clock: Clock) -> Self {
        Self {
            clock,
            last: watch::Sender::default(),
            state: Mutex::default(),
        }
    }

    /// The newest snapshot that is to be had within the time of a page; `None`: there is none yet.
    pub(in crate::web) async fn newest(
        self: &Arc<Self>,
        database: &Arc<Database>,
    ) -> Result<Option<Arc<Snapshot>>, Failure> {
        let mut results = self.last.subscribe();
        if self.begin() {
            let (this, database) = (self.clone(), database.clone());
            tokio::spawn(async move { this.make(&database).await });
        }
        if self.is_running() {
            let wait = if results.borrow_and_update().is_some() {
                WAIT
            } else {
                FIRST_WAIT
            };
            _ = tokio::time::timeout(wait, results.changed()).await;
        }
        let last = results.borrow().clone();
        last.transpose().map_err(unavailable)
    }

    fn is_running(&self) -> bool {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .running
    }

    /// Whether the caller is to make a new one.
    fn begin(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = !state.running && self.clock.monotonic() >= state.rest_until;
        state.running |= begin;
        begin
    }

    async fn make(&self, database: &Database) {
        let began = self.clock.monotonic();
        let made = Snapshot::read(database, began).await;
        let took = self.clock.monotonic().saturating_sub(began);
        tracing::debug!(
            duration_ms = took.as_millis(),
            "counted the archive for the page"
        );
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.running = false;
            // Small archives are always shown as they are.
            let rest = if took < WAIT {
                Duration::ZERO
            } else {
                took * REST
            };
            state.rest_until = began + took + rest;
        }
        self.last.send_replace(Some(made.map(Arc::new)));
    }
}

const STATES: &str = "SELECT state, count(*) FROM recordings GROUP BY state ORDER BY state";
const PAUSES: &str = "SELECT reason, host, error, since FROM pauses ORDER BY since LIMIT 10";
const GAPS: &str = "SELECT count(*) FROM gaps";
const FAILURES: &str = "SELECT count(*) FROM failures";
const FAILING: &str =
    "SELECT recording_id, room_name, reason FROM failures ORDER BY first_seen_at LIMIT ?1";
const PASSES: &str = "SELECT kind, started_at, outcome, error FROM passes
    WHERE id IN (SELECT max(id) FROM passes GROUP BY kind) ORDER BY kind";
const DAYS: &str =
    "SELECT day, recordings, bytes FROM storage_by_day WHERE day IS NOT NULL ORDER BY day";
const BY_ROOM: &str = "SELECT room_name, recordings, bytes, duration_seconds FROM storage_by_room
    WHERE room_name IS NOT NULL ORDER BY bytes DESC LIMIT ?1";

impl Snapshot {
    async fn read(database: &Database, at: Duration) -> Result<Self, String> {
        let problems = (database.judge)().await?;
        let pool = database
            .pool()
            .await
            .map_err(|failure| failure.text().to_owned())?;
        let read = Self::read_views(&pool, problems, at).await;
        read.map_err(|error| Failure::from(error).text().to_owned())
    }

    async fn read_views(
        pool: &SqlitePool,
        problems: Vec<String>,
        at: Duration,
    ) -> sqlx::Result<Self> {
        let paused: Vec<(String, Option<String>, String, String)> =
            sqlx::query_as(PAUSES).fetch_all(pool).await?;
        let failing: Vec<(String, Option<String>, String)> =
            sqlx::query_as(FAILING).bind(SHOWN).fetch_all(pool).await?;
        let passes: Vec<(String, String, String, Option<String>)> =
            sqlx::query_as(PASSES).fetch_all(pool).await?;
        let days: Vec<(String, i64, i64)> = sqlx::query_as(DAYS).fetch_all(pool).await?;
        let rooms: Vec<(String, i64, i64, Option<f64>)> =
            sqlx::query_as(BY_ROOM).bind(ROOMS).fetch_all(pool).await?;
        Ok(Self {
            at,
            problems,
            states: sqlx::query_as(STATES).fetch_all(pool).await?,
            pauses: paused
                .into_iter()
                .map(|(reason, host, error, since)| Pause {
                    reason,
                    host,
                    error,
                    since,
                })
                .collect(),
            gaps: sqlx::query_scalar(GAPS).fetch_one(pool).await?,
            failures: sqlx::query_scalar(FAILURES).fetch_one(pool).await?,
            failing: failing
                .into_iter()
                .map(|(recording_id, room_name, reason)| Failing {
                    recording_id,
                    room_name,
                    reason,
                })
                .collect(),
            passes: passes
                .into_iter()
                .map(|(kind, started_at, outcome, error)| Pass {
                    kind,
                    started_at,
                    outcome,
                    error,
                })
                .collect(),
            days: days
                .into_iter()
                .map(|(day, recordings, bytes)| Day {
                    date: day,
                    recordings,
                    bytes,
                })
                .collect(),
            rooms: rooms
                .into_iter()
                .map(|(room, recordings, bytes, seconds)| {
                    (
                        room,
                        Totals {
                            recordings,
                            bytes,
                            seconds,
                        },
                    )
                })
                .collect(),
        })
    }
}
