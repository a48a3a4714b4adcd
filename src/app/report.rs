//! What the service says about itself: the log of its passes, the status line, health, metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::App;
use super::health::{Problem, ProblemKind, health};
use crate::human;
use crate::lifecycle::Lifecycle;
use crate::model::{ConcernKind, State};
use crate::poll::Report;
use crate::store::{self, AttemptOutcome, Counts, Facts, PassKind, PassOutcome, PauseKind};
use crate::telemetry::http::Health;
use crate::telemetry::metrics::Metrics;

/// How often everything is shown, and the figures are read if that is cheap.
const EVERY: Duration = Duration::from_secs(2);
/// The part of the time that may be spent on reading figures: counting a million rows takes a while.
const SHARE: u32 = 100;

/// Counts and logs passes.
#[derive(Clone)]
pub(super) struct Passes(Metrics);

impl Passes {
    /// Notes how a pass ended.
    pub(super) fn note(&self, kind: PassKind, report: &Report, took: Duration) {
        let (word, outcome) = (kind.as_str(), report.outcome.as_str());
        self.0.count_pass(word, outcome, took);
        self.0.add_api_requests(report.counts.requests);
        let counts = &report.counts;
        let took = took.as_millis();
        match (&report.error, report.outcome) {
            (Some(error), PassOutcome::Refused) => {
                tracing::error!(duration_ms = took, "{word}: {error}");
            }
            (Some(error), _) => tracing::warn!(duration_ms = took, "{word} {outcome}: {error}"),
            (None, _) => tracing::info!(
                sessions = counts.sessions_seen,
                listed = counts.sessions_listed,
                recordings = counts.recordings_seen,
                new = counts.recordings_new,
                requests = counts.requests,
                duration_ms = took,
                "{word} {outcome}"
            ),
        }
    }
}

/// Reads the figures from time to time and shows them.
pub(super) struct Reporter {
    pub metrics: Metrics,
    pub health: Health,
    app: Arc<App>,
    lifecycle: Lifecycle,
}

/// The figures, as last read.
#[derive(Default)]
struct Figures {
    counts: Counts,
    facts: Facts,
    /// What the board had counted.
    received: u64,
    attempts: BTreeMap<AttemptOutcome, u64>,
}

impl Reporter {
    pub(super) fn new(app: &Arc<App>, lifecycle: &Lifecycle) -> Self {
        Self {
            metrics: Metrics::new(env!("CARGO_PKG_VERSION")),
            health: Health::default(),
            app: app.clone(),
            lifecycle: lifecycle.clone(),
        }
    }

    pub(super) fn passes(&self) -> Passes {
        Passes(self.metrics.clone())
    }

    /// Shows the figures until the stop, and notices when a database that failed works again.
    pub(super) async fn run(self) -> store::Result<()> {
        tokio::try_join!(self.report(), self.try_database())?;
        Ok(())
    }

    /// Shows the figures; while the database fails, those read last, and that it fails.
    async fn report(&self) -> store::Result<()> {
        let mut figures = Figures::default();
        let (mut read_facts, mut read_counts) = (Turn::default(), Turn::default());
        loop {
            let read = async {
                let (clock, store) = (&self.app.clock, &self.app.store);
                if let Some(began) = read_facts.begin(clock.monotonic()) {
                    figures.facts = store.health_facts(clock.now()).await?;
                    read_facts.end(began, clock.monotonic());
                }
                if let Some(began) = read_counts.begin(clock.monotonic()) {
                    figures.counts = store.counts().await?;
                    read_counts.end(began, clock.monotonic());
                }
                Ok(())
            };
            self.app.tolerate(read.await)?;
            figures.facts.database = self.app.store.trouble().now();
            self.show(&mut figures);
            if self.is_stopped_within(EVERY).await {
                return Ok(());
            }
        }
    }

    /// Tries the database again after each failure: a write that waits for a lock takes a while, and must not keep
    /// the figures from being shown.
    async fn try_database(&self) -> store::Result<()> {
        let app = &self.app;
        loop {
            let tried = app
                .stop
                .run_until_cancelled(app.store.try_again(app.clock.now()));
            app.tolerate(tried.await.unwrap_or(Ok(())))?;
            if self.is_stopped_within(EVERY).await {
                return Ok(());
            }
        }
    }

    async fn is_stopped_within(&self, time: Duration) -> bool {
        let stop = self.app.stop.cancelled();
        tokio::time::timeout(time, stop).await.is_ok()
    }

    fn show(&self, figures: &mut Figures) {
        for (outcome, count) in self.app.board.outcomes() {
            let before = figures.attempts.insert(outcome, count).unwrap_or(0);
            self.metrics.add_attempts(outcome.as_str(), count - before);
        }
        let received = self.app.board.received();
        self.metrics
            .add_bytes_downloaded(received - figures.received);
        figures.received = received;
        let now = self.app.clock.now();
        let problems = health(&figures.facts, now);
        self.show_counts(&figures.counts);
        self.show_facts(&figures.facts, now);
        self.show_problems(&problems);
        self.lifecycle.status(&self.line(figures, &problems));
    }

    fn show_counts(&self, counts: &Counts) {
        for state in State::ALL {
            self.metrics
                .set_recordings(state.as_str(), counts.of(state));
        }
        for kind in ConcernKind::ALL {
            self.metrics
                .set_concerns(kind.as_str(), counts.with_concern(kind));
        }
        self.metrics.set_gaps(counts.gaps);
        let active = self.app.board.active().len();
        self.metrics.set_downloads_active(active as u64);
        if let Ok(free) = self.app.root.free_space() {
            self.metrics.set_disk_free(free);
        }
    }

    fn show_facts(&self, facts: &Facts, now: DateTime<Utc>) {
        let age = |since: Option<DateTime<Utc>>| {
            let age = since.and_then(|since| (now - since).to_std().ok());
            age.unwrap_or_default()
        };
        self.metrics.set_failures(facts.failures());
        self.metrics
            .set_stuck(facts.stuck(), age(facts.stuck_since()));
        self.metrics
            .set_oldest_unarchived(age(facts.unarchived.since));
        for kind in PauseKind::ALL {
            let pauses = facts.pauses.iter().filter(|pause| pause.kind == kind);
            self.metrics
                .set_paused(kind.as_str(), pauses.count() as u64);
        }
        let passes = &facts.passes;
        for (kind, at) in [("poll", passes.last_poll), ("sweep", passes.last_sweep)] {
            if let Some(at) = at {
                self.metrics.set_last_complete(kind, at);
            }
        }
        self.metrics
            .set_credentials_ok(passes.refused_since.is_none());
        self.metrics.set_database_ok(facts.database.is_none());
    }

    fn show_problems(&self, problems: &[Problem]) {
        self.metrics.set_healthy(problems.is_empty());
        for kind in ProblemKind::ALL {
            let of_kind = problems.iter().filter(|problem| problem.kind == kind);
            self.metrics
                .set_problems(kind.as_str(), of_kind.count() as u64);
        }
        self.health
            .set(problems.iter().map(Problem::line).collect());
    }

    /// The line in `systemctl status`.
    fn line(&self, figures: &Figures, problems: &[Problem]) -> String {
        let Figures { counts, facts, .. } = figures;
        let line = format!(
            "{} archived ({}), {} downloading, {} pending",
            counts.of(State::Archived),
            human::size(counts.archived_bytes),
            self.app.board.active().len(),
            counts.of(State::Pending) + counts.of(State::Damaged),
        );
        let passes = &facts.passes;
        match (problems, &passes.error, passes.last_complete()) {
            ([first], ..) => format!("degraded: {}; {line}", first.line()),
            ([first, more @ ..], ..) => {
                format!(
                    "degraded: {} (and {} more); {line}",
                    first.line(),
                    more.len()
                )
            }
            ([], Some(error), _) => format!("the last poll was not complete: {error}; {line}"),
            ([], None, Some(at)) => {
                format!("{line}; last complete poll {}", at.format("%H:%M:%S UTC"))
            }
            ([], None, None) => line,
        }
    }
}

/// When something is read again that takes a while.
#[derive(Default)]
struct Turn(Duration);

impl Turn {
    /// Whether it is to be read at monotonic time `now`.
    fn begin(&self, now: Duration) -> Option<Duration> {
        (now >= self.0).then_some(now)
    }

    /// It was read from `began` to `now`.
    fn end(&mut self, began: Duration, now: Duration) {
        self.0 = now + now.saturating_sub(began) * SHARE;
    }
}
