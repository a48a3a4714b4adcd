//! `status`: whether the archive is healthy and what needs attention, as text or JSON.

mod text;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::args::StatusArgs;
use super::exit::Exit;
use super::{database, out};
use crate::app::health::{Problem, health};
use crate::clock::Clock;
use crate::config::Environment;
use crate::instance::Instance;
use crate::model::{State, time};
use crate::store::{self, Access, Counts, FailedAttempt, Failure, Gap, LastPass, Pause, Store};

/// Rows shown of a list that may be long; the counts are of all rows.
const SHOWN: u32 = 10;

/// The JSON that scripts read: never rename a field.
#[derive(Debug, Serialize)]
struct Status {
    /// When the database was read.
    at: String,
    /// Whether the archive makes progress and nothing needs attention.
    healthy: bool,
    /// Why it is not healthy, the most urgent first.
    problems: Vec<Problem>,
    /// Whether the service, or another command, works on the archive.
    running: bool,
    /// Recordings by state.
    recordings: BTreeMap<State, u64>,
    /// Bytes of the archived files.
    archived_bytes: u64,
    queue: Queue,
    /// Rows of the view `failures`.
    failures: u64,
    /// Of those, the ones not completed upstream, or not archived, for longer than `poll.stuck_after`.
    stuck: u64,
    /// Since when the recording that is stuck longest has been stuck.
    stuck_since: Option<String>,
    /// Archived recordings with a concern, by its kind.
    concerns: BTreeMap<&'static str, u64>,
    /// Rows of the view `gaps`.
    gaps: u64,
    /// The failures known longest.
    oldest_failures: Vec<Failure>,
    /// The gaps known longest.
    oldest_gaps: Vec<Gap>,
    /// The last pass of every kind.
    passes: Vec<LastPass>,
    /// The newest attempts that ended with an error.
    newest_errors: Vec<FailedAttempt>,
    /// Why downloads do not start now, or only one at a time.
    pauses: Vec<Pause>,
    /// Hosts that are rate-limiting us.
    cooldowns: Vec<Cooldown>,
}

/// Rows of the view `queue` by state.
#[derive(Debug, Serialize)]
struct Queue {
    total: u64,
    waiting: u64,
    pending: u64,
    downloading: u64,
    lost: u64,
    damaged: u64,
    /// Completed and still there upstream, not left out by the filter, and not archived.
    missing: u64,
}

#[derive(Debug, Serialize)]
struct Cooldown {
    host: String,
    until: String,
}

pub(super) fn run(args: &StatusArgs, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let now = Clock::system().now();
    let status = database::with(file, env, Access::Read, async |store, config| {
        let running = Instance::is_running(&config.database.path);
        Ok(Status::read(store, now, running).await?)
    })?;
    let text = if args.json {
        serde_json::to_string_pretty(&status)? + "\n"
    } else {
        text::render(&status, now)
    };
    out::print(&text)?;
    Ok(Exit::Done)
}

impl Status {
    async fn read(store: &Store, now: DateTime<Utc>, running: bool) -> store::Result<Self> {
        let counts = store.counts().await?;
        let mut facts = store.health_facts(now).await?;
        facts.stopped = !running;
        let problems = health(&facts, now);
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
            pauses: facts.pauses,
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

impl Queue {
    fn of(counts: &Counts) -> Self {
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
