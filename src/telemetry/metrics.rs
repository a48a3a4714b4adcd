//! Metrics for alerts, in the text format of Prometheus and in that of `OpenMetrics`.
//!
//! Labels are fixed words from short lists: never ids, hosts, rooms or links.

mod classic;
mod copies;
mod process;
mod register;
mod webhooks;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use chrono::{DateTime, Utc};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use self::copies::Copies;
use self::register::{Word, add, signed, unit};
use self::webhooks::Webhooks;
use crate::clock::Clock;

/// Seconds since 1970, with a fraction; 0 until it first happens.
type Time = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByState {
    state: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKind {
    kind: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    result: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByPass {
    kind: Word,
    outcome: Word,
}

/// The process's metrics; clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    recordings: Family<ByState, Gauge>,
    gaps: Gauge,
    failures: Gauge,
    archived_bytes: Gauge,
    stuck: Family<ByKind, Gauge>,
    stuck_longest: Gauge,
    oldest_unarchived: Gauge,
    concerns: Family<ByKind, Gauge>,
    healthy: Gauge,
    problems: Family<ByKind, Gauge>,
    database_ok: Gauge,
    downloaded_bytes: Counter,
    attempts: Family<ByOutcome, Counter>,
    api_requests: Counter,
    passes: Family<ByPass, Counter>,
    pass_seconds: Family<ByKind, Histogram>,
    last_complete: Family<ByKind, Time>,
    verified_files: Family<ByResult, Counter>,
    verified_bytes: Counter,
    reloaded: Gauge,
    last_reload: Time,
    disk_free: Gauge,
    paused: Family<ByReason, Gauge>,
    credentials_ok: Gauge,
    downloads_active: Gauge,
    webhooks: Webhooks,
    copies: Copies,
}

impl Metrics {
    /// All metrics at zero or healthy, the build's `version`, and the process's own figures.
    #[must_use]
    pub fn new(version: &'static str, clock: &Clock) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::Process::new(clock)));
        let r = registry.sub_registry_with_prefix("room_archiver");
        let info = Info::new([("version", version)]);
        r.register("build", "The running version", info);
        let metrics = Self {
            recordings: add(r, "recordings", "Recordings by state"),
            gaps: add(r, "gaps", "Sessions that are over and not complete"),
            failures: add(r, "failures", "Recordings that need attention"),
            archived_bytes: unit(r, "archived", "Size of all archived files", Unit::Bytes),
            stuck: add(
                r,
                "stuck",
                "What is stuck for longer than poll.stuck_after: recordings that are not archived (unarchived) or not completed upstream (unfinished), sessions whose recordings can't be listed (unlisted)",
            ),
            stuck_longest: unit(
                r,
                "stuck_longest",
                "For how long the first of them has been stuck, 0: none",
                Unit::Seconds,
            ),
            oldest_unarchived: unit(
                r,
                "oldest_unarchived",
                "Age of the oldest recording completed upstream and not archived, 0: none",
                Unit::Seconds,
            ),
            concerns: add(
                r,
                "concerns",
                "Archived recordings with a concern, by its kind",
            ),
            healthy: add(
                r,
                "healthy",
                "1 while the archive makes progress and nothing needs attention",
            ),
            problems: add(
                r,
                "problems",
                "What keeps the archive from being healthy, by kind",
            ),
            database_ok: add(r, "database_ok", "1 while the database can be used"),
            downloaded_bytes: unit(r, "downloaded", "Media bytes received", Unit::Bytes),
            attempts: add(r, "attempts", "Download attempts by outcome"),
            api_requests: add(r, "api_requests", "Requests to the API"),
            passes: add(r, "passes", "Passes by kind and outcome"),
            pass_seconds: pass_seconds(r),
            verified_files: add(
                r,
                "verified_files",
                "Archived files read again by the service, by result",
            ),
            verified_bytes: unit(
                r,
                "verified",
                "Bytes of archived files read again by the service",
                Unit::Bytes,
            ),
            reloaded: add(
                r,
                "config_last_reload_successful",
                "1 if the last load of the configuration succeeded",
            ),
            last_reload: unit(
                r,
                "config_last_reload_success_timestamp",
                "When the configuration was last loaded successfully",
                Unit::Seconds,
            ),
            last_complete: unit(
                r,
                "last_complete_pass_timestamp",
                "When a pass of a kind was last complete, 0: never",
                Unit::Seconds,
            ),
            disk_free: unit(r, "disk_free", "Free space in the archive", Unit::Bytes),
            paused: add(r, "paused", "Pauses and slowdowns of downloads, by reason"),
            credentials_ok: add(
                r,
                "credentials_ok",
                "1 while the API accepts the credentials",
            ),
            downloads_active: add(r, "downloads_active", "Downloads under way"),
            webhooks: Webhooks::register(r),
            copies: Copies::register(r),
            registry: Arc::default(),
        };
        metrics.note_reload(Some(clock.now()));
        metrics.credentials_ok.set(1);
        metrics.database_ok.set(1);
        metrics.healthy.set(1);
        Self {
            registry: Arc::new(registry),
            ..metrics
        }
    }

    /// How many recordings are in `state`.
    pub fn set_recordings(&self, state: Word, count: u64) {
        self.recordings
            .get_or_create(&ByState { state })
            .set(signed(count));
    }

    /// How many sessions are over and not complete (rows of the view `gaps`).
    pub fn set_gaps(&self, count: u64) {
        self.gaps.set(signed(count));
    }

    /// How many recordings need attention (rows of the view `failures`).
    pub fn set_failures(&self, count: u64) {
        self.failures.set(signed(count));
    }

    /// The size of all archived files.
    pub fn set_archived_bytes(&self, bytes: u64) {
        self.archived_bytes.set(signed(bytes));
    }

    /// How many recordings or sessions are stuck in one way.
    pub fn set_stuck(&self, kind: Word, count: u64) {
        self.stuck
            .get_or_create(&ByKind { kind })
            .set(signed(count));
    }

    /// For how long the first of all that is stuck has been so.
    pub fn set_stuck_longest(&self, age: Duration) {
        self.stuck_longest.set(signed(age.as_secs()));
    }

    /// The age of the oldest recording completed upstream and not archived.
    pub fn set_oldest_unarchived(&self, age: Duration) {
        self.oldest_unarchived.set(signed(age.as_secs()));
    }

    /// How many archived recordings have a concern of a kind.
    pub fn set_concerns(&self, kind: Word, count: u64) {
        self.concerns
            .get_or_create(&ByKind { kind })
            .set(signed(count));
    }

    /// Whether the archive is healthy.
    pub fn set_healthy(&self, healthy: bool) {
        self.healthy.set(healthy.into());
    }

    /// How many problems of a kind there are.
    pub fn set_problems(&self, kind: Word, count: u64) {
        self.problems
            .get_or_create(&ByKind { kind })
            .set(signed(count));
    }

    /// Whether the database can be used.
    pub fn set_database_ok(&self, ok: bool) {
        self.database_ok.set(ok.into());
    }

    /// Counts media bytes received.
    pub fn add_downloaded_bytes(&self, bytes: u64) {
        self.downloaded_bytes.inc_by(bytes);
    }

    /// Counts download attempts that have ended.
    pub fn add_attempts(&self, outcome: Word, count: u64) {
        self.attempts
            .get_or_create(&ByOutcome { outcome })
            .inc_by(count);
    }

    /// Counts requests to the API.
    pub fn add_api_requests(&self, count: u64) {
        self.api_requests.inc_by(count);
    }

    /// The passes of `kind` that may end with `outcome` are counted from zero: an increase from nothing shows in no
    /// rate.
    pub fn begin_passes(&self, kind: Word, outcome: Word) {
        drop(self.passes.get_or_create(&ByPass { kind, outcome }));
        drop(self.pass_seconds.get_or_create(&ByKind { kind }));
        drop(self.last_complete.get_or_create(&ByKind { kind }));
    }

    /// Counts a pass that has ended, and how long it took.
    pub fn count_pass(&self, kind: Word, outcome: Word, took: Duration) {
        self.passes.get_or_create(&ByPass { kind, outcome }).inc();
        let by_kind = self.pass_seconds.get_or_create(&ByKind { kind });
        by_kind.observe(took.as_secs_f64());
    }

    /// Notes when a pass of `kind` was last complete.
    pub fn set_last_complete(&self, kind: Word, time: DateTime<Utc>) {
        self.last_complete
            .get_or_create(&ByKind { kind })
            .set(process::seconds(time));
    }

    /// Counts archived files that a verification has read again, with one result.
    pub fn add_verified_files(&self, result: Word, count: u64) {
        self.verified_files
            .get_or_create(&ByResult { result })
            .inc_by(count);
    }

    /// Counts bytes that a verification has read.
    pub fn add_verified_bytes(&self, bytes: u64) {
        self.verified_bytes.inc_by(bytes);
    }

    /// Notes that the configuration was loaded then, or could not be.
    pub fn note_reload(&self, loaded: Option<DateTime<Utc>>) {
        self.reloaded.set(loaded.is_some().into());
        if let Some(at) = loaded {
            self.last_reload.set(process::seconds(at));
        }
    }

    /// The bytes free in the archive.
    pub fn set_disk_free(&self, bytes: u64) {
        self.disk_free.set(signed(bytes));
    }

    /// How many pauses of downloads have this reason: several for media hosts, one for the others.
    pub fn set_paused(&self, reason: Word, count: u64) {
        self.paused
            .get_or_create(&ByReason { reason })
            .set(signed(count));
    }

    /// Whether the API accepts the credentials.
    pub fn set_credentials_ok(&self, ok: bool) {
        self.credentials_ok.set(ok.into());
    }

    /// How many downloads are under way.
    pub fn set_downloads_active(&self, count: u64) {
        self.downloads_active.set(signed(count));
    }

    /// How many events webhooks are still to get, did not accept and never got, and the age of the oldest of the first.
    pub fn set_webhooks(&self, pending: u64, failed: u64, dropped: u64, oldest: Duration) {
        self.webhooks.pending.set(signed(pending));
        self.webhooks.failed.set(signed(failed));
        self.webhooks.dropped.set(signed(dropped));
        self.webhooks.oldest.set(signed(oldest.as_secs()));
    }

    /// All metrics in the text format of Prometheus, version 0.0.4.
    #[must_use]
    pub fn text(&self) -> String {
        classic::from_open_metrics(&self.open_metrics())
    }

    /// How many recordings have their copy in `target` in a state.
    pub fn set_copies(&self, target: &str, state: Word, count: u64) {
        self.copies.set(target, state, count);
    }

    /// Whether a target of copies fails, and the age of the oldest recording that is not copied to it.
    pub fn set_copies_lag(&self, target: &str, failing: bool, oldest: Duration) {
        self.copies.set_lag(target, failing, oldest);
    }

    /// All metrics in the text format of `OpenMetrics`, version 1.0.0.
    #[must_use]
    pub fn open_metrics(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

fn pass_seconds(registry: &mut Registry) -> Family<ByKind, Histogram> {
    let metric = Family::new_with_constructor(pass_buckets as fn() -> Histogram);
    let (name, help) = ("pass_duration", "How long passes take");
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

/// From a quiet poll to a sweep of hours.
fn pass_buckets() -> Histogram {
    Histogram::new([
        0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0,
    ])
}

#[cfg(test)]
mod tests;
