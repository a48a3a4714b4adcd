//! How fast downloads are started. While one after another fails, whatever the reason, they are tried one at a time
//! with a growing delay: a standstill must not cost requests, rows and log lines by the thousand. One that makes
//! progress ends that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::store::Order;

/// Failures in a row after which downloads are tried one at a time.
const MOST_FAILURES: u32 = 6;
/// Before the next one; doubled with each failure.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// The longest delay: each recording may fail for a reason of its own, and a good one behind a hundred of them
/// must not wait for hours.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// The pace of one queue. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    first: Option<DateTime<Utc>>,
    error: String,
    /// No claim before (monotonic), while slow.
    next: Duration,
    /// Downloads under way that have shown no progress yet, and those that have.
    unproven: u32,
    proven: u32,
    /// When one last made progress (monotonic).
    progress_at: Duration,
    /// The end at which a download was looked for last while they fail one after another.
    looked_at: Option<Order>,
    /// Hosts that work again.
    recovered: Vec<String>,
}

/// Since when downloads fail one after another, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slow {
    pub since: DateTime<Utc>,
    pub error: String,
    /// The next one starts then (monotonic), if none is being tried.
    pub next: Duration,
    /// One is being tried.
    pub busy: bool,
}

/// A download under way, which has shown progress or not yet; given back when dropped.
#[derive(Debug)]
pub(super) struct UnderWay {
    pace: Pace,
    proven: bool,
}

impl Pace {
    /// A download starts.
    pub(super) fn start(&self) -> UnderWay {
        self.lock().unproven += 1;
        UnderWay {
            pace: self.clone(),
            proven: false,
        }
    }

    /// A download made progress at monotonic time `now`. Returns whether that ends a slow time.
    pub(super) fn progress(&self, now: Duration) -> bool {
        let mut state = self.lock();
        let was_slow = state.is_slow();
        state.failures = 0;
        state.first = None;
        state.progress_at = state.progress_at.max(now);
        was_slow
    }

    /// A download failed.
    pub(super) fn failed(&self, error: &str, now: Duration, at: DateTime<Utc>) {
        let mut state = self.lock();
        state.first.get_or_insert(at);
        error.clone_into(&mut state.error);
        state.failures = state.failures.saturating_add(1);
        let more = state.failures.saturating_sub(MOST_FAILURES);
        let delay = FIRST_DELAY * 2_u32.saturating_pow(more.min(16));
        state.next = now + delay.min(LONGEST_DELAY);
    }

    /// Whether downloads fail one after another.
    pub(super) fn slow(&self) -> Option<Slow> {
        let state = self.lock();
        let since = state.first.filter(|_| state.is_slow())?;
        Some(Slow {
            since,
            error: state.error.clone(),
            next: state.next,
            busy: state.unproven > 0,
        })
    }

    /// Where the next download is looked for while they fail one after another: at either end in turn, so that a row
    /// of bad ones at one end does not hold up the others.
    pub(super) fn next_trial(&self, order: Order) -> Order {
        let mut state = self.lock();
        let next = match state.looked_at.unwrap_or(order) {
            Order::OldestFirst => Order::NewestFirst,
            Order::NewestFirst => Order::OldestFirst,
        };
        state.looked_at = Some(next);
        next
    }

    /// Where downloads are looked for: beside the one that succeeded after others had failed.
    pub(super) fn order(&self, order: Order) -> Order {
        self.lock().looked_at.unwrap_or(order)
    }

    /// All that is due is claimed: neither end has more.
    pub(super) fn all_are_claimed(&self) {
        self.lock().looked_at = None;
    }

    /// A host works again, or its downloads do.
    pub(super) fn recovered(&self, host: &str) {
        self.lock().recovered.push(host.to_owned());
    }

    /// The hosts that work again, each time they do.
    pub(super) fn take_recovered(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().recovered)
    }

    /// When a download last made progress, as of monotonic time `now`: one under way makes progress all the time.
    pub(super) fn progress_at(&self, now: Duration) -> Duration {
        let state = self.lock();
        if state.proven > 0 {
            now
        } else {
            state.progress_at
        }
    }

    /// Nothing is left to download: what failed is of no interest any more.
    pub(super) fn forget(&self) {
        let mut state = self.lock();
        state.failures = 0;
        state.first = None;
    }

    /// A wait that is worth it begins: it does not count as a lack of progress up to monotonic time `until`.
    pub(super) fn excuse(&self, until: Duration) {
        let mut state = self.lock();
        state.progress_at = state.progress_at.max(until);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_slow(&self) -> bool {
        self.failures >= MOST_FAILURES
    }
}

impl UnderWay {
    /// Whether it has shown progress.
    pub(super) fn is_proven(&self) -> bool {
        self.proven
    }

    /// It shows progress, at monotonic time `now`. Returns whether that ends a slow time.
    pub(super) fn prove(&mut self, now: Duration) -> bool {
        if std::mem::replace(&mut self.proven, true) {
            return false;
        }
        {
            let mut state = self.pace.lock();
            state.unproven -= 1;
            state.proven += 1;
        }
        self.pace.progress(now)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.pace.lock();
        if self.proven {
            state.proven -= 1;
        } else {
            state.unproven -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_failures_in_a_row_downloads_start_one_at_a_time_with_a_growing_delay() {
        let pace = Pace::default();
        let mut now = Duration::ZERO;
        for _ in 1..MOST_FAILURES {
            pace.failed("404", now, DateTime::UNIX_EPOCH);
            assert_eq!(pace.slow(), None);
        }
        let mut delays = Vec::new();
        for _ in 0..5 {
            pace.failed("404", now, DateTime::UNIX_EPOCH + now);
            let slow = pace.slow().unwrap();
            assert_eq!((slow.since, slow.busy), (DateTime::UNIX_EPOCH, false));
            delays.push(slow.next.saturating_sub(now).as_secs());
            now = slow.next;
        }
        assert_eq!(delays, [1, 2, 4, 5, 5]);
        let mut tried = pace.start();
        assert!(pace.slow().unwrap().busy);
        assert!(tried.prove(now));
        assert!(!tried.prove(now), "once");
        assert_eq!(pace.slow(), None);
        assert_eq!(pace.progress_at(2 * now), 2 * now, "it is under way");
        drop(tried);
        assert_eq!(pace.progress_at(2 * now), now);
    }

    #[test]
    fn a_download_that_ends_without_progress_is_no_longer_waited_for() {
        let pace = Pace::default();
        for _ in 0..MOST_FAILURES {
            pace.failed("silence", Duration::ZERO, DateTime::UNIX_EPOCH);
        }
        let tried = pace.start();
        assert!(pace.slow().unwrap().busy);
        drop(tried);
        assert!(!pace.slow().unwrap().busy);
    }
}
