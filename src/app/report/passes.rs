//! Counts and logs the ends of passes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::poll::Report;
use crate::store::{PassKind, PassOutcome};
use crate::telemetry::metrics::Metrics;
use crate::verify::Findings;

/// Counts and logs passes.
#[derive(Clone)]
pub(in crate::app) struct Passes {
    metrics: Metrics,
    /// A poll or a sweep has ended, or could not even begin.
    pub(in crate::app) ended: Arc<Notify>,
}

impl Passes {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            ended: Arc::default(),
        }
    }

    /// Notes how a verification ended, and what it found.
    pub(in crate::app) fn note_verification(
        &self,
        outcome: PassOutcome,
        findings: &Findings,
        took: Duration,
    ) {
        let metrics = &self.metrics;
        metrics.count_pass(PassKind::Verify.as_str(), outcome.as_str(), took);
        let (damaged, unreadable) = (findings.damaged.len(), findings.unreadable.len());
        metrics.add_verified_files("intact", findings.files - damaged as u64);
        metrics.add_verified_files("damaged", damaged as u64);
        metrics.add_verified_files("unreadable", unreadable as u64);
        metrics.add_verified_bytes(findings.bytes);
        if outcome != PassOutcome::Failed {
            tracing::info!(
                files = findings.files,
                size_bytes = findings.bytes,
                damaged,
                unreadable,
                "verified archived files"
            );
        }
    }

    /// Notes how a pass ended.
    pub(in crate::app) fn note(&self, kind: PassKind, report: &Report, took: Duration) {
        let (word, outcome) = (kind.as_str(), report.outcome.as_str());
        self.metrics.count_pass(word, outcome, took);
        self.ended.notify_one();
        let counts = &report.counts;
        // Not the u128 of as_millis(): tracing writes that as text.
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
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
