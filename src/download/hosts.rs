//! Media hosts that fail. After a few failures in a row a host gets one probe at a time, with a growing delay;
//! nothing else is spent on it until one succeeds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

/// Failures in a row after which a host counts as failing.
const MOST_FAILURES: u32 = 4;
/// Before the first probe; doubled with each one that fails.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// The longest wait for a probe: a host that is back is noticed within this time.
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// A probe that has not ended after this time is no longer waited for.
const LOST_PROBE: Duration = Duration::from_mins(2);

/// The media hosts that failed lately, by host and port. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Hosts(Arc<Mutex<BTreeMap<String, Host>>>);

#[derive(Debug)]
struct Host {
    failures: u32,
    since: DateTime<Utc>,
    error: String,
    /// Not asked before (monotonic).
    probe_at: Duration,
}

/// A host that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// The host and port.
    pub host: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// What happened last.
    pub error: String,
}

/// How long a host is to be left alone, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// From now on.
    pub remaining: Duration,
    /// What happened last.
    pub error: String,
}

impl Hosts {
    /// Whether a host could be asked at monotonic time `now`: it works as far as is known, or is due for a probe.
    pub fn may_be_asked(&self, host: &str, now: Duration) -> Result<(), Wait> {
        let hosts = self.lock();
        match hosts.get(host) {
            Some(host) if host.is_failing() && now < host.probe_at => Err(host.wait(now)),
            _ => Ok(()),
        }
    }

    /// Leave to ask a host at monotonic time `now`. Of those who want to when a failing one is due for a probe, one
    /// gets it.
    pub fn permit(&self, host: &str, now: Duration) -> Result<(), Wait> {
        let mut hosts = self.lock();
        let Some(host) = hosts.get_mut(host).filter(|host| host.is_failing()) else {
            return Ok(());
        };
        if now < host.probe_at {
            return Err(host.wait(now));
        }
        host.probe_at = now + LOST_PROBE;
        Ok(())
    }

    /// Notes a failure.
    pub fn failed(&self, host: &str, error: &str, now: Duration, at: DateTime<Utc>) {
        let mut hosts = self.lock();
        let host = hosts.entry(host.to_owned()).or_insert_with(|| Host {
            failures: 0,
            since: at,
            error: String::new(),
            probe_at: now,
        });
        host.failures = host.failures.saturating_add(1);
        error.clone_into(&mut host.error);
        let probes = host.failures.saturating_sub(MOST_FAILURES);
        let delay = FIRST_DELAY * 2_u32.saturating_pow(probes.min(16));
        host.probe_at = now + delay.min(LONGEST_DELAY);
    }

    /// Notes that a host works. Returns whether it was failing.
    #[must_use]
    pub fn works(&self, host: &str) -> bool {
        let mut hosts = self.lock();
        hosts.remove(host).is_some_and(|host| host.is_failing())
    }

    /// Nothing is left to download from a host.
    pub fn forget(&self, host: &str) {
        self.lock().remove(host);
    }

    /// The hosts that fail.
    #[must_use]
    pub fn failing(&self) -> Vec<Failing> {
        self.lock()
            .iter()
            .filter(|(_, host)| host.is_failing())
            .map(|(name, host)| Failing {
                host: name.clone(),
                since: host.since,
                error: host.error.clone(),
            })
            .collect()
    }

    /// When the next failing host may be probed (monotonic).
    #[must_use]
    pub fn next_probe(&self) -> Option<Duration> {
        let hosts = self.lock();
        let failing = hosts.values().filter(|host| host.is_failing());
        failing.map(|host| host.probe_at).min()
    }

    /// The failing hosts that may be probed at monotonic time `now`.
    #[must_use]
    pub fn due(&self, now: Duration) -> Vec<String> {
        self.lock()
            .iter()
            .filter(|(_, host)| host.is_failing() && host.probe_at <= now)
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Host>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host {
    fn wait(&self, now: Duration) -> Wait {
        Wait {
            remaining: self.probe_at.saturating_sub(now),
            error: self.error.clone(),
        }
    }

    fn is_failing(&self) -> bool {
        self.failures >= MOST_FAILURES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> (Duration, DateTime<Utc>) {
        let since = Duration::from_secs(seconds);
        (since, DateTime::UNIX_EPOCH + since)
    }

    fn failing() -> Hosts {
        let hosts = Hosts::default();
        let (now, wall) = at(0);
        for _ in 0..MOST_FAILURES {
            assert_eq!(hosts.permit("a:443", now), Ok(()));
            hosts.failed("a:443", "refused", now, wall);
        }
        hosts
    }

    #[test]
    fn a_host_that_fails_several_times_in_a_row_gets_one_probe_at_a_time() {
        let hosts = failing();
        let (now, _) = at(1);
        assert!(hosts.permit("a:443", Duration::ZERO).is_err());
        assert_eq!(hosts.due(now), ["a:443"]);
        assert_eq!(hosts.permit("a:443", now), Ok(()));
        assert!(hosts.permit("a:443", now).is_err(), "one probe at a time");
        assert_eq!(hosts.permit("a:8443", now), Ok(()), "another port");
        assert_eq!(hosts.permit("a:443", now + LOST_PROBE), Ok(()));
    }

    #[test]
    fn the_delay_grows_to_half_a_minute_and_one_success_ends_it() {
        let hosts = failing();
        let mut now = Duration::ZERO;
        let mut delays = Vec::new();
        for _ in 0..7 {
            let Err(wait) = hosts.permit("a:443", now) else {
                panic!("it may be asked at once");
            };
            delays.push(wait.remaining.as_secs());
            now += wait.remaining;
            assert_eq!(hosts.permit("a:443", now), Ok(()));
            hosts.failed("a:443", "reset", now, DateTime::UNIX_EPOCH + now);
        }
        assert_eq!(delays, [1, 2, 4, 8, 16, 30, 30]);
        let listed = hosts.failing();
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (listed[0].since, &*listed[0].error),
            (DateTime::UNIX_EPOCH, "reset")
        );
        assert!(hosts.works("a:443"));
        assert!(!hosts.works("a:443"));
        assert_eq!(hosts.permit("a:443", now), Ok(()));
    }

    #[test]
    fn failures_that_are_not_in_a_row_hold_nobody_up() {
        let hosts = Hosts::default();
        let (now, wall) = at(0);
        for _ in 0..10 {
            for _ in 1..MOST_FAILURES {
                hosts.failed("a:443", "reset", now, wall);
            }
            assert!(!hosts.works("a:443"));
        }
        assert_eq!(hosts.permit("a:443", now), Ok(()));
        assert_eq!(hosts.failing(), []);
    }
}
