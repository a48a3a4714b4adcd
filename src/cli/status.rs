//! `status`: how the archive stands, for a glance or a script.

mod text;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::args::StatusArgs;
use super::exit::Exit;
use super::{database, out};
use crate::clock::Clock;
use crate::config::Environment;
use crate::model::{State, time};
use crate::store::{self, Access, Counts, FailedAttempt, Failure, Gap, LastPass, Store};

/// Rows shown of a list that may be long; the counts tell how many there are.
const SHOWN: u32 = 10;

/// The JSON that scripts read: names stay as they are.
#[derive(Debug, Serialize)]
struct Status {
    /// When this was so.
    at: String,
    /// Recordings by state.
    recordings: BTreeMap<String, u64>,
    /// Bytes of the archived files.
    archived_bytes: u64,
    queue: Queue,
    /// Rows of the view `failures`.
    failures: u64,
    /// Of those, the ones stuck upstream.
    stuck: u64,
    /// Since when the one that is stuck longest has been so.
    stuck_since: Option<String>,
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
    /// Hosts that asked for patience.
    cooldowns: Vec<Cooldown>,
}

/// Rows of the view `queue` by state, and what matters of them.
#[derive(Debug, Serialize)]
struct Queue {
    total: u64,
    waiting: u64,
    pending: u64,
    downloading: u64,
    failed: u64,
    lost: u64,
    damaged: u64,
    /// Completed upstream and still there, wanted, and not archived.
    missing: u64,
}

#[derive(Debug, Serialize)]
struct Cooldown {
    host: String,
    until: String,
}

pub(super) fn run(args: &StatusArgs, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let now = Clock::system().now();
    let status = database::with(file, env, Access::Read, async |store, _| {
        Ok(Status::read(store, time::to_text(now)).await?)
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
    async fn read(store: &Store, at: String) -> store::Result<Self> {
        let counts = store.counts().await?;
        let cooldowns = store
            .cooldowns()
            .await?
            .into_iter()
            .map(|(host, until)| Cooldown {
                host,
                until: time::to_text(until),
            });
        Ok(Self {
            queue: Queue::of(&counts),
            failures: counts.failures,
            stuck: counts.stuck,
            stuck_since: counts.stuck_since.clone(),
            gaps: counts.gaps,
            oldest_failures: store.failures(SHOWN).await?,
            oldest_gaps: store.gaps(SHOWN).await?,
            passes: store.last_passes().await?,
            newest_errors: store.newest_errors(SHOWN).await?,
            cooldowns: cooldowns.filter(|one| one.until > at).collect(),
            recordings: counts.by_state.into_iter().collect(),
            archived_bytes: counts.archived_bytes,
            at,
        })
    }
}

impl Queue {
    fn of(counts: &Counts) -> Self {
        let [waiting, pending, downloading, failed, lost, damaged] = [
            State::Waiting,
            State::Pending,
            State::Downloading,
            State::Failed,
            State::Lost,
            State::Damaged,
        ]
        .map(|state| counts.of(state));
        Self {
            total: waiting + pending + downloading + failed + lost + damaged,
            waiting,
            pending,
            downloading,
            failed,
            lost,
            damaged,
            missing: counts.missing,
        }
    }
}
