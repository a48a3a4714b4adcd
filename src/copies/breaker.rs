//! A target that fails gets one copy at a time, with a growing delay; nothing else is spent on it until one succeeds.

use std::time::Duration;

use super::Trouble;

/// Failures in a row after which a target counts as failing.
const MOST_FAILURES: u32 = 4;
/// Before the first probe; doubled with each one that fails.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// The longest wait for a probe: a target that is back is noticed within this time.
const LONGEST_DELAY: Duration = Duration::from_mins(1);

/// The failures of one target.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    /// Nothing is sent before (monotonic).
    probe_at: Duration,
}

impl Breaker {
    /// Notes how a request failed, at monotonic time `now`.
    pub(super) fn failed(&mut self, trouble: Trouble, now: Duration) {
        let more = match trouble {
            // Its end is known: the rate limit itself.
            Trouble::SlowDown { .. } => return,
            // The next request would fail as this one did.
            Trouble::Refused | Trouble::Skewed | Trouble::NoBucket | Trouble::Full => MOST_FAILURES,
            trouble if trouble.concerns_target() => 1,
            _ => return,
        };
        self.failures = self.failures.saturating_add(1).max(more);
        let probes = self.failures.saturating_sub(MOST_FAILURES);
        let delay = FIRST_DELAY * 2_u32.saturating_pow(probes.min(16));
        self.probe_at = now + delay.min(LONGEST_DELAY);
    }

    /// Notes that the target answered as it should. Returns whether it was failing.
    pub(super) fn works(&mut self) -> bool {
        let failing = self.is_failing();
        self.failures = 0;
        failing
    }

    /// Whether it fails.
    pub(super) fn is_failing(&self) -> bool {
        self.failures >= MOST_FAILURES
    }

    /// For how long nothing is to be sent, from monotonic time `now` on.
    pub(super) fn wait(&self, now: Duration) -> Duration {
        if self.is_failing() {
            self.probe_at.saturating_sub(now)
        } else {
            Duration::ZERO
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_fails_is_probed_with_a_growing_delay_until_it_works() {
        let mut breaker = Breaker::default();
        let mut now = Duration::ZERO;
        for _ in 1..MOST_FAILURES {
            breaker.failed(Trouble::Unavailable, now);
            assert!(!breaker.is_failing());
        }
        let mut waits = Vec::new();
        for _ in 0..8 {
            breaker.failed(Trouble::Unavailable, now);
            waits.push(breaker.wait(now).as_secs());
            now += breaker.wait(now);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(breaker.works());
        assert!(!breaker.works(), "once");
        assert_eq!(breaker.wait(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn a_refused_key_counts_at_once_and_one_object_not_at_all() {
        let mut breaker = Breaker::default();
        breaker.failed(Trouble::Checksum, Duration::ZERO);
        breaker.failed(Trouble::Exists, Duration::ZERO);
        assert!(!breaker.is_failing());
        breaker.failed(Trouble::Refused, Duration::ZERO);
        assert!(breaker.is_failing());
    }
}
