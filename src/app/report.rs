//! What the service says about itself: the log of its passes, the status line, health, metrics.

mod passes;
mod turn;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};

pub(super) use passes::Passes;
use turn::Turn;

use super::App;
use super::health::{Problem, ProblemKind, health};
use super::webhooks::HealthEvents;
use crate::human;
use crate::lifecycle::Lifecycle;
use crate::model::{ConcernKind, State};
use crate::store::{
    self, AttemptOutcome, Backlog, CopyState, Counts, Facts, PassKind, PassOutcome, PauseKind,
};
use crate::telemetry::http::Health;
use crate::telemetry::metrics::Metrics;

/// How often everything is shown, and the figures are read if that is cheap, while there is news.
const EVERY: Duration = Duration::from_secs(2);
/// How often without news. What other processes write is noticed then.
const IDLE: Duration = Duration::from_secs(10);

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
    /// What is before each webhook.
    backlogs: Vec<Backlog>,
    /// What the board had counted.
    received: u64,
    requests: u64,
    attempts: BTreeMap<AttemptOutcome, u64>,
}

impl Reporter {
    pub(super) fn new(app: &Arc<App>, lifecycle: &Lifecycle) -> Self {
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), &app.clock);
        start_at_zero(&metrics);
        Self {
            metrics,
            health: Health::default(),
            app: app.clone(),
            lifecycle: lifecycle.clone(),
        }
    }

    pub(super) fn passes(&self) -> Passes {
        Passes::new(self.metrics.clone())
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
        let (mut known, mut events) = (false, HealthEvents::default());
        loop {
            let read = async {
                let (clock, store) = (&self.app.clock, &self.app.store);
                let written = store.written_at();
                if let Some(began) = read_facts.begin(clock, written) {
                    // Another process may have made recordings due, as `retry` does.
                    self.app.wake.wake();
                    figures.facts = store.health_facts(clock.now()).await?;
                    read_facts.end(began, clock);
                    known = true;
                }
                if let Some(began) = read_counts.begin(clock, written) {
                    figures.counts = store.counts().await?;
                    figures.backlogs = store.backlogs().await?;
                    read_counts.end(began, clock);
                }
                Ok(())
            };
            self.app.tolerate(read.await)?;
            figures.facts.database = self.app.store.trouble().now();
            let problems = self.show(&mut figures);
            if known && !figures.facts.webhooks.is_empty() {
                let reported = events.report(&self.app.store, &problems, &self.app.clock);
                self.app.tolerate(reported.await)?;
            }
            let news = async {
                if self.app.board.active().is_empty() {
                    self.app.store.written().await;
                }
                tokio::time::sleep(EVERY).await;
            };
            let wait = tokio::time::timeout(IDLE, news);
            if self.app.stop.run_until_cancelled(wait).await.is_none() {
                return Ok(());
            }
        }
    }

    /// Tries the database again after each failure: a write that waits for a lock takes a while, and must not keep
    /// the figures from being shown.
    async fn try_database(&self) -> store::Result<()> {
        let app = &self.app;
        let try_again = async {
            loop {
                app.store.trouble().begun().await;
                app.tolerate(app.store.try_again(app.clock.now()).await)?;
                tokio::time::sleep(EVERY).await;
            }
        };
        app.stop
            .run_until_cancelled(try_again)
            .await
            .unwrap_or(Ok(()))
    }

    fn show(&self, figures: &mut Figures) -> Vec<Problem> {
        for (outcome, count) in self.app.board.outcomes() {
            let before = figures.attempts.insert(outcome, count).unwrap_or(0);
            self.metrics.add_attempts(outcome.as_str(), count - before);
        }
        let received = self.app.board.received();
        self.metrics
            .add_downloaded_bytes(received - figures.received);
        figures.received = received;
        let requests = self.app.requests.load(Ordering::Relaxed);
        self.metrics.add_api_requests(requests - figures.requests);
        figures.requests = requests;
        let now = self.app.clock.now();
        let problems = health(&figures.facts, now);
        self.show_counts(&figures.counts);
        self.show_facts(&figures.facts, now);
        self.show_backlogs(&figures.backlogs, now);
        self.show_problems(&problems);
        self.lifecycle.status(&self.line(figures, &problems));
        problems
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
        self.metrics.set_archived_bytes(counts.archived_bytes);
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
        for (kind, count) in facts.stuck_by_kind() {
            self.metrics.set_stuck(kind, count);
        }
        self.metrics.set_stuck_longest(age(facts.stuck_since()));
        self.metrics
            .set_oldest_unarchived(age(facts.unarchived.since));
        for kind in PauseKind::ALL {
            let pauses = facts.pauses.iter().filter(|pause| pause.kind == kind);
            self.metrics
                .set_paused(kind.as_str(), pauses.count() as u64);
        }
        let passes = &facts.passes;
        for kind in PassKind::ALL {
            let at = match kind {
                PassKind::Poll => passes.last_poll,
                PassKind::Sweep => passes.last_sweep,
                PassKind::Verify => passes.last_verify,
            };
            if let Some(at) = at {
                self.metrics.set_last_complete(kind.as_str(), at);
            }
        }
        self.metrics
            .set_credentials_ok(passes.refused_since.is_none());
        self.metrics.set_database_ok(facts.database.is_none());
        for one in &facts.copies {
            let pending = one.pending.saturating_sub(one.missing + one.differs);
            for (state, count) in [
                (CopyState::Pending, pending),
                (CopyState::Copied, one.copied),
                (CopyState::Missing, one.missing),
                (CopyState::Differs, one.differs),
            ] {
                self.metrics.set_copies(&one.target, state.as_str(), count);
            }
            let failing = one.failing_since.is_some();
            self.metrics
                .set_copies_lag(&one.target, failing, age(one.oldest));
        }
    }

    fn show_backlogs(&self, backlogs: &[Backlog], now: DateTime<Utc>) {
        let sum = |of: fn(&Backlog) -> u64| backlogs.iter().map(of).sum();
        let oldest = backlogs.iter().filter_map(|backlog| backlog.oldest).min();
        let oldest = oldest.and_then(|oldest| (now - oldest).to_std().ok());
        self.metrics.set_webhooks(
            sum(|backlog| backlog.pending),
            sum(|backlog| backlog.failed),
            sum(|backlog| backlog.dropped),
            oldest.unwrap_or_default(),
        );
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

/// What is counted by label is there from the start: the first of a kind is an increase only from a zero.
fn start_at_zero(metrics: &Metrics) {
    for outcome in AttemptOutcome::ALL {
        // These two are not ends that this process sees.
        if !matches!(
            outcome,
            AttemptOutcome::Running | AttemptOutcome::Interrupted
        ) {
            metrics.add_attempts(outcome.as_str(), 0);
        }
    }
    for kind in PassKind::ALL {
        for outcome in PassOutcome::ALL {
            if !matches!(outcome, PassOutcome::Running | PassOutcome::Interrupted) {
                metrics.begin_passes(kind.as_str(), outcome.as_str());
            }
        }
    }
    for result in ["intact", "damaged", "unreadable"] {
        metrics.add_verified_files(result, 0);
    }
}
