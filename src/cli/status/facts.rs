//! What `status` shows, for people and for scripts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::app::health::{NextRuns, Problem, health, next_runs};
use crate::app::spread_by;
use crate::archive::root::Root;
use crate::config::Config;
use crate::instance::Instance;
use crate::model::{State, time};
use crate::store::{
    self, Backlog, CopyFacts, Counts, FailedAttempt, Failure, Gap, LastPass, Pause, Store,
};

/// Rows shown of a list that may be long; the counts are of all rows.
const SHOWN: u32 = 10;

/// The JSON that scripts read: never rename a field.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    /// When the database was read.
    pub(super) at: String,
    /// Whether the archive makes progress and nothing needs attention.
    pub(super) healthy: bool,
    /// Why it is not healthy, the most urgent first.
    pub(super) problems: Vec<Problem>,
    /// Whether the service, or another command, works on the archive.
    pub(super) running: bool,
    pub(super) disk: Disk,
    /// When the passes begin next.
    pub(super) next_runs: NextRuns,
    /// Recordings by state.
    pub(super) recordings: BTreeMap<State, u64>,
    /// Bytes of the archived files.
    pub(super) archived_bytes: u64,
    pub(super) queue: Queue,
    /// Rows of the view `failures`.
    pub(super) failures: u64,
    /// Of those, the ones not completed upstream, or not archived, for longer than `poll.stuck_after`.
    pub(super) stuck: u64,
    /// Since when the recording that is stuck longest has been stuck.
    pub(super) stuck_since: Option<String>,
    /// Archived recordings with a concern, by its kind.
    pub(super) concerns: BTreeMap<&'static str, u64>,
    /// Rows of the view `gaps`.
    pub(super) gaps: u64,
    /// The failures known longest.
    pub(super) oldest_failures: Vec<Failure>,
    /// The gaps known longest.
    pub(super) oldest_gaps: Vec<Gap>,
    /// The last pass of every kind.
    pub(super) passes: Vec<LastPass>,
    /// The newest errors of recordings that are not archived.
    pub(super) newest_errors: Vec<FailedAttempt>,
    /// Why downloads do not start now, or only one at a time.
    pub(super) pauses: Vec<Pause>,
    /// The object stores that recordings are copied to.
    pub(super) copies: Vec<CopyFacts>,
    /// Hosts that are rate-limiting us.
    pub(super) cooldowns: Vec<Cooldown>,
    /// The webhooks, and what each has before it.
    pub(super) webhooks: Vec<Backlog>,
}

/// The disk of the archive.
#[derive(Debug, Serialize)]
pub(super) struct Disk {
    pub(super) free_bytes: Option<u64>,
    /// `archive.min_free_space`: downloads pause before less is free.
    pub(super) min_free_bytes: u64,
    /// Why it is unknown how much is free.
    pub(super) error: Option<String>,
}

/// Rows of the view `queue` by state.
#[derive(Debug, Serialize)]
pub(super) struct Queue {
    pub(super) total: u64,
    pub(super) waiting: u64,
    pub(super) pending: u64,
    pub(super) downloading: u64,
    pub(super) lost: u64,
    pub(super) damaged: u64,
    /// Completed and still there upstream, not left out by the filter, and not archived.
    pub(super) missing: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Cooldown {
    pub(super) host: String,
    pub(super) until: String,
}

impl Status {
    pub(super) async fn read(
        store: &Store,
        config: &Config,
        now: DateTime<Utc>,
    ) -> store::Result<Self> {
        let running = Instance::is_running(&config.database.path);
        let counts = store.counts().await?;
        let mut facts = store.health_facts(now).await?;
        facts.stopped = !running;
        let problems = health(&facts, now);
        let spread_by = spread_by(config, store).await?;
        let cooldowns = store
            .cooldowns()
            .await?
            .into_iter()
            .filter(|(_, until)| *until > now);
        Ok(Self {
            at: time::to_text(now),
            healthy: problems.is_empty(),
            problems,
            running,
            disk: Disk::read(config, facts.min_free_space),
            next_runs: next_runs(&facts, spread_by.as_deref(), now),
            queue: Queue::of(&counts),
            failures: facts.failures(),
            stuck: facts.stuck(),
            stuck_since: facts.stuck_since().map(time::to_text),
            concerns: counts
                .concerns
                .iter()
                .map(|(kind, count)| (kind.as_str(), *count))
                .collect(),
            gaps: counts.gaps,
            oldest_failures: store.failures(SHOWN).await?,
            oldest_gaps: store.gaps(SHOWN).await?,
            passes: store.last_passes().await?,
            newest_errors: store.newest_errors(SHOWN).await?,
            webhooks: store.backlogs().await?,
            pauses: facts.pauses,
            copies: facts.copies,
            cooldowns: cooldowns
                .map(|(host, until)| Cooldown {
                    host,
                    until: time::to_text(until),
                })
                .collect(),
            recordings: counts.by_state,
            archived_bytes: counts.archived_bytes,
        })
    }
}

impl Disk {
    /// The limit that the service works with is known from the database.
    fn read(config: &Config, min_free_bytes: Option<u64>) -> Self {
        let free = Root::open(&config.archive.directory).and_then(|root| root.free_space());
        Self {
            free_bytes: free.as_ref().ok().copied(),
            min_free_bytes: min_free_bytes.unwrap_or(config.archive.min_free_space.0),
            error: free.err().map(|error| error.to_string()),
        }
    }
}

impl Queue {
    pub(super) fn of(counts: &Counts) -> Self {
        let [waiting, pending, downloading, lost, damaged] = [
            State::Waiting,
            State::Pending,
            State::Downloading,
            State::Lost,
            State::Damaged,
        ]
        .map(|state| counts.of(state));
        Self {
            total: waiting + pending + downloading + lost + damaged,
            waiting,
            pending,
            downloading,
            lost,
            damaged,
            missing: counts.missing,
        }
    }
}
