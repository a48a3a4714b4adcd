//! The figures of the process itself, under the names that every Prometheus client uses, read at each scrape.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::clock::Clock;

/// What `/proc` says of this process.
#[derive(Debug)]
pub(super) struct Process {
    /// Kept, not read again: a change of the clock is no other start.
    started: Option<DateTime<Utc>>,
}

impl Process {
    pub(super) fn new(clock: &Clock) -> Self {
        let since_boot = clock_gettime(ClockId::Boottime);
        let since_boot =
            TimeDelta::seconds(since_boot.tv_sec) + TimeDelta::nanoseconds(since_boot.tv_nsec);
        let started = Stat::read().map(|stat| clock.now() - since_boot + ticks(stat.start));
        Self { started }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        if let Some(stat) = Stat::read() {
            counter(
                &mut encoder,
                "process_cpu_seconds",
                "User and system CPU time spent.",
                as_seconds(ticks(stat.cpu)),
            )?;
            let (name, help) = ("process_resident_memory_bytes", "Resident memory.");
            gauge(&mut encoder, name, help, stat.resident)?;
            let (name, help) = ("process_virtual_memory_bytes", "Virtual memory.");
            gauge(&mut encoder, name, help, stat.memory)?;
        }
        if let Some(started) = self.started {
            let (name, help) = ("process_start_time_seconds", "When the process started.");
            gauge(&mut encoder, name, help, seconds(started))?;
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            // The directory that is being read is one of them.
            let open = open.count().saturating_sub(1) as u64;
            gauge(
                &mut encoder,
                "process_open_fds",
                "Open file descriptors.",
                open,
            )?;
        }
        // No limit is shown as none.
        if let Some(most) = getrlimit(Resource::Nofile).current {
            let help = "The most file descriptors that may be open.";
            gauge(&mut encoder, "process_max_fds", help, most)?;
        }
        Ok(())
    }
}

/// Fields of `/proc/self/stat`: times in clock ticks, memory in bytes.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    cpu: u64,
    start: u64,
    memory: u64,
    resident: u64,
}

impl Stat {
    fn read() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/stat").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The name before it may hold anything, spaces and parentheses too.
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        // Counted as proc(5) does: the first of these is the third.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu: field(14)? + field(15)?,
            start: field(22)?,
            memory: field(23)?,
            resident: field(24)? * page_size() as u64,
        })
    }
}

fn ticks(count: u64) -> TimeDelta {
    let milliseconds = count.saturating_mul(1000) / clock_ticks_per_second().max(1);
    TimeDelta::milliseconds(i64::try_from(milliseconds).unwrap_or(i64::MAX / 2))
}

/// A time as metrics show it.
pub(super) fn seconds(time: DateTime<Utc>) -> f64 {
    // A float has 52 bits, enough for milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds fit")]
    let milliseconds = time.timestamp_millis() as f64;
    milliseconds / 1000.0
}

fn as_seconds(time: TimeDelta) -> f64 {
    time.to_std().unwrap_or_default().as_secs_f64()
}

fn counter(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: f64) -> fmt::Result {
    let metric = ConstCounter::new(value);
    let described = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
    metric.encode(described)
}

fn gauge<N>(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: N) -> fmt::Result
where
    ConstGauge<N>: EncodeMetric,
{
    let metric = ConstGauge::new(value);
    let described = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
    metric.encode(described)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_process_may_hold_anything() {
        let fields: Vec<String> = (4..=52).map(|number| number.to_string()).collect();
        let text = format!("7 (a) R 1 (b) S {}\n", fields.join(" "));
        let expected = Stat {
            cpu: 14 + 15,
            start: 22,
            memory: 23,
            resident: 24 * page_size() as u64,
        };
        assert_eq!(Stat::parse(&text), Some(expected));
        assert_eq!(Stat::parse("7 (a) S 1 2"), None);
    }

    #[test]
    fn this_process_began_before_now_and_uses_memory() {
        let clock = Clock::system();
        let started = Process::new(&clock).started.expect("/proc");
        let age = clock.now() - started;
        assert!(age >= TimeDelta::milliseconds(-20), "{age}");
        assert!(age < TimeDelta::hours(2), "{age}");
        assert!(Stat::read().expect("/proc").resident > 1 << 20);
    }
}
