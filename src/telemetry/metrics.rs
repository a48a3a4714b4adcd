//! Numbers that an operator alerts on, in the `OpenMetrics` text format.
//!
//! Labels are words of ours from short lists: never ids, hosts, rooms or links.

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
use prometheus_client::registry::{Metric, Registry, Unit};

/// A word for a label, fixed at compile time, so that nothing foreign becomes one.
type Word = &'static str;

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
    stuck: Gauge,
    stuck_longest: Gauge,
    bytes_downloaded: Counter,
    attempts: Family<ByOutcome, Counter>,
    api_requests: Counter,
    passes: Family<ByPass, Counter>,
    pass_seconds: Family<ByKind, Histogram>,
    last_complete: Family<ByKind, Time>,
    disk_free: Gauge,
    paused: Family<ByReason, Gauge>,
    credentials_ok: Gauge,
    downloads_active: Gauge,
}

impl Metrics {
    /// All metrics at zero, and the build's `version`.
    #[must_use]
    pub fn new(version: &'static str) -> Self {
        let mut registry = Registry::with_prefix("room_archiver");
        let info = Info::new([("version", version)]);
        registry.register("build", "The running version", info);
        let r = &mut registry;
        let metrics = Self {
            recordings: add(r, "recordings", "Recordings by state", Family::default()),
            gaps: add(
                r,
                "gaps",
                "Sessions that are over and not complete",
                Gauge::default(),
            ),
            failures: add(
                r,
                "failures",
                "Recordings that need a person",
                Gauge::default(),
            ),
            stuck: add(
                r,
                "stuck",
                "Recordings not completed upstream, or without a link, for too long",
                Gauge::default(),
            ),
            stuck_longest: unit(
                r,
                "stuck_longest",
                "How long the one that is stuck longest has been so",
                Unit::Seconds,
                Gauge::default(),
            ),
            bytes_downloaded: add(
                r,
                "bytes_downloaded",
                "Media bytes received",
                Counter::default(),
            ),
            attempts: add(
                r,
                "attempts",
                "Download attempts by outcome",
                Family::default(),
            ),
            api_requests: add(r, "api_requests", "Requests to the API", Counter::default()),
            passes: add(r, "passes", "Passes by kind and outcome", Family::default()),
            pass_seconds: unit(
                r,
                "pass_duration",
                "How long passes take",
                Unit::Seconds,
                Family::new_with_constructor(pass_buckets),
            ),
            last_complete: unit(
                r,
                "last_complete_pass_timestamp",
                "When a pass of a kind last was complete, 0: never",
                Unit::Seconds,
                Family::default(),
            ),
            disk_free: unit(
                r,
                "disk_free",
                "Free space where the archive lies",
                Unit::Bytes,
                Gauge::default(),
            ),
            paused: add(
                r,
                "paused",
                "1 while downloads pause for a reason",
                Family::default(),
            ),
            credentials_ok: add(
                r,
                "credentials_ok",
                "1 while the API takes the credentials",
                Gauge::default(),
            ),
            downloads_active: add(
                r,
                "downloads_active",
                "Downloads under way",
                Gauge::default(),
            ),
            registry: Arc::default(),
        };
        // An alert on "never" needs the zero to be there from the start.
        for kind in ["poll", "sweep"] {
            metrics
                .last_complete
                .get_or_create(&ByKind { kind })
                .set(0.0);
        }
        metrics.credentials_ok.set(1);
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

    /// How many recordings need a person (rows of the view `failures`).
    pub fn set_failures(&self, count: u64) {
        self.failures.set(signed(count));
    }

    /// How many recordings have not been completed upstream for too long.
    pub fn set_stuck(&self, count: u64, longest: Duration) {
        self.stuck.set(signed(count));
        self.stuck_longest.set(signed(longest.as_secs()));
    }

    /// Counts media bytes received.
    pub fn add_bytes_downloaded(&self, bytes: u64) {
        self.bytes_downloaded.inc_by(bytes);
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

    /// Counts a pass that has ended, and how long it took.
    pub fn count_pass(&self, kind: Word, outcome: Word, took: Duration) {
        self.passes.get_or_create(&ByPass { kind, outcome }).inc();
        let by_kind = self.pass_seconds.get_or_create(&ByKind { kind });
        by_kind.observe(took.as_secs_f64());
    }

    /// Notes when a pass of `kind` (`poll`, `sweep`) last was complete.
    pub fn set_last_complete(&self, kind: Word, time: DateTime<Utc>) {
        // The 52 bits of a float hold milliseconds for ages to come.
        #[expect(clippy::cast_precision_loss, reason = "milliseconds fit")]
        let seconds = time.timestamp_millis() as f64 / 1000.0;
        self.last_complete
            .get_or_create(&ByKind { kind })
            .set(seconds);
    }

    /// The bytes free where the archive lies.
    pub fn set_disk_free(&self, bytes: u64) {
        self.disk_free.set(signed(bytes));
    }

    /// Whether downloads pause for `reason`.
    pub fn set_paused(&self, reason: Word, paused: bool) {
        self.paused
            .get_or_create(&ByReason { reason })
            .set(paused.into());
    }

    /// Whether the API takes the credentials.
    pub fn set_credentials_ok(&self, ok: bool) {
        self.credentials_ok.set(ok.into());
    }

    /// How many downloads are under way.
    pub fn set_downloads_active(&self, count: u64) {
        self.downloads_active.set(signed(count));
    }

    /// The `OpenMetrics` text of all metrics.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

/// As [`add`], with the unit that ends the metric's name.
fn unit<M: Metric + Clone>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    unit: Unit,
    metric: M,
) -> M {
    registry.register_with_unit(name, help, unit, metric.clone());
    metric
}

/// From a quiet poll to a sweep of hours.
fn pass_buckets() -> Histogram {
    Histogram::new([
        0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0,
    ])
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_told_by_its_documented_name() {
        let metrics = Metrics::new("0.1.0");
        let other = metrics.clone();
        other.set_recordings("archived", 12);
        other.set_gaps(1);
        other.set_failures(2);
        other.set_stuck(3, Duration::from_hours(30));
        other.add_bytes_downloaded(1 << 40);
        other.add_attempts("archived", 1);
        other.add_api_requests(3);
        other.count_pass("poll", "complete", Duration::from_millis(700));
        other.set_last_complete("poll", DateTime::UNIX_EPOCH + Duration::from_millis(1500));
        other.set_disk_free(1 << 41);
        other.set_paused("disk", true);
        other.set_credentials_ok(false);
        other.set_downloads_active(4);
        let text = metrics.text();
        for line in [
            "room_archiver_build_info{version=\"0.1.0\"} 1",
            "room_archiver_recordings{state=\"archived\"} 12",
            "room_archiver_gaps 1",
            "room_archiver_failures 2",
            "room_archiver_stuck 3",
            "room_archiver_stuck_longest_seconds 108000",
            "room_archiver_bytes_downloaded_total 1099511627776",
            "room_archiver_attempts_total{outcome=\"archived\"} 1",
            "room_archiver_api_requests_total 3",
            "room_archiver_passes_total{kind=\"poll\",outcome=\"complete\"} 1",
            "room_archiver_pass_duration_seconds_bucket{le=\"1.0\",kind=\"poll\"} 1",
            "room_archiver_last_complete_pass_timestamp_seconds{kind=\"poll\"} 1.5",
            "room_archiver_last_complete_pass_timestamp_seconds{kind=\"sweep\"} 0.0",
            "room_archiver_disk_free_bytes 2199023255552",
            "room_archiver_paused{reason=\"disk\"} 1",
            "room_archiver_credentials_ok 0",
            "room_archiver_downloads_active 4",
            "# EOF",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
