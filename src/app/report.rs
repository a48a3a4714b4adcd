//! What the service tells of itself: the status line, health, metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::App;
use crate::cli::human;
use crate::download::Downloader;
use crate::lifecycle::Lifecycle;
use crate::model::{State, time};
use crate::poll::Report;
use crate::store::{Counts, PassKind, PassOutcome};
use crate::telemetry::http::Health;
use crate::telemetry::metrics::Metrics;

/// How often the figures are read.
const EVERY: Duration = Duration::from_secs(2);

/// The latest passes, as far as people are told of them.
#[derive(Clone)]
pub(super) struct Passes {
    metrics: Metrics,
    latest: Arc<Mutex<Latest>>,
}

#[derive(Default)]
struct Latest {
    refused: Option<String>,
    trouble: Option<String>,
    complete_at: Option<DateTime<Utc>>,
}

impl Passes {
    /// Notes how a pass ended: in the log, and for the next report.
    pub(super) fn note(&self, kind: PassKind, report: &Report, took: Duration, now: DateTime<Utc>) {
        let (word, outcome) = (kind.as_str(), report.outcome.as_str());
        self.metrics.count_pass(word, outcome, took);
        self.metrics.add_api_requests(report.counts.requests);
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
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.refused = report
            .error
            .clone()
            .filter(|_| report.outcome == PassOutcome::Refused);
        latest.trouble = report
            .error
            .clone()
            .filter(|_| report.outcome == PassOutcome::Incomplete);
        if report.outcome == PassOutcome::Complete {
            latest.complete_at = Some(now);
            self.metrics.set_last_complete(word, now);
        }
    }
}

/// Reads the figures from time to time and tells them.
pub(super) struct Reporter {
    pub metrics: Metrics,
    pub health: Health,
    pub passes: Passes,
    app: Arc<App>,
    lifecycle: Lifecycle,
    downloader: Downloader,
}

impl Reporter {
    pub(super) fn new(app: &Arc<App>, lifecycle: &Lifecycle, downloader: Downloader) -> Self {
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
        Self {
            passes: Passes {
                metrics: metrics.clone(),
                latest: Arc::default(),
            },
            metrics,
            health: Health::default(),
            app: app.clone(),
            lifecycle: lifecycle.clone(),
            downloader,
        }
    }

    pub(super) async fn run(self) -> Result<()> {
        let mut received = 0;
        let mut attempts = BTreeMap::new();
        loop {
            let began = self.app.clock.monotonic();
            let counts = self.app.store.counts().await?;
            // Counting a million rows takes a while: at most a hundredth of the time is spent on it.
            let took = self.app.clock.monotonic().saturating_sub(began);
            for (outcome, count) in self.app.board.outcomes() {
                let before = attempts.insert(outcome, count).unwrap_or(0);
                self.metrics.add_attempts(outcome, count - before);
            }
            let now_received = self.app.board.received();
            self.metrics.add_bytes_downloaded(now_received - received);
            received = now_received;
            self.tell(&counts);
            tokio::select! {
                () = self.app.stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(EVERY.max(took * 100)) => {}
            }
        }
    }

    fn tell(&self, counts: &Counts) {
        for state in State::ALL {
            self.metrics
                .set_recordings(state.as_str(), counts.of(state));
        }
        self.metrics.set_gaps(counts.gaps);
        self.metrics.set_failures(counts.failures);
        let now = self.app.clock.now();
        let stuck_since = counts.stuck_since.as_deref().and_then(time::parse);
        let stuck_for = stuck_since.and_then(|since| (now - since).to_std().ok());
        self.metrics
            .set_stuck(counts.stuck, stuck_for.unwrap_or_default());
        let active = self.app.board.active();
        self.metrics.set_downloads_active(active.len() as u64);
        if let Ok(free) = self.app.root.free_space() {
            self.metrics.set_disk_free(free);
        }
        let pause = self.downloader.paused();
        for reason in ["disk", "api"] {
            let text = pause
                .as_ref()
                .filter(|pause| pause.reason == reason)
                .map(|pause| pause.text.clone());
            self.metrics.set_paused(reason, text.is_some());
            self.health.set(reason, text);
        }
        let latest = self
            .passes
            .latest
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.metrics.set_credentials_ok(latest.refused.is_none());
        self.health.set("credentials", latest.refused.clone());
        let stuck = stuck_since.map(|since| {
            let (count, first) = (counts.stuck, human::age(since, now));
            format!("{count} recordings are stuck upstream, the first became so {first}")
        });
        self.health.set("stuck", stuck);
        let failed = counts.failures - counts.stuck.min(counts.failures);
        self.health.set(
            "failures",
            (failed > 0).then(|| format!("{failed} recordings need a person")),
        );
        let mut line = format!(
            "{} archived ({}), {} downloading, {} pending",
            counts.of(State::Archived),
            human::size(counts.archived_bytes),
            active.len(),
            counts.of(State::Pending) + counts.of(State::Damaged),
        );
        if counts.failures > 0 {
            line = format!("{line}, {} need a person", counts.failures);
        }
        if let Some(trouble) = latest.refused.as_ref().or(latest.trouble.as_ref()) {
            line = format!("degraded: {trouble}; {line}");
        } else if let Some(pause) = pause {
            line = format!("paused: {}; {line}", pause.text);
        } else if let Some(at) = latest.complete_at {
            line = format!("{line}; last complete pass {}", at.format("%H:%M:%S UTC"));
        }
        self.lifecycle.status(&line);
    }
}
