//! Signs of life of the long-running tasks: the watchdog is pinged only while all of them beat.
//!
//! A ping from a timer alone would keep a daemon running whose work is stuck.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::error;

use crate::clock::Clock;

/// How often a resting task beats if there is no watchdog.
const REST_WITHOUT_WATCHDOG: Duration = Duration::from_secs(10);

/// All pulses of the process.
#[derive(Debug)]
pub(super) struct Pulses {
    clock: Clock,
    /// A pulse is stale when it has not beaten for this long.
    period: Option<Duration>,
    register: Mutex<Register>,
}

#[derive(Debug, Default)]
struct Register {
    next: u64,
    entries: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    name: &'static str,
    beaten: Arc<AtomicU64>,
    reported: bool,
}

impl Pulses {
    pub(super) fn new(clock: Clock, period: Option<Duration>) -> Self {
        Self {
            clock,
            period,
            register: Mutex::default(),
        }
    }

    pub(super) fn add(self: &Arc<Self>, name: &'static str) -> Pulse {
        let beaten = Arc::new(AtomicU64::new(millis(self.clock.monotonic())));
        let mut register = self.register.lock().unwrap_or_else(PoisonError::into_inner);
        let id = register.next;
        register.next += 1;
        register.entries.insert(
            id,
            Entry {
                name,
                beaten: Arc::clone(&beaten),
                reported: false,
            },
        );
        Pulse {
            id,
            beaten,
            pulses: Arc::clone(self),
        }
    }

    /// Whether every pulse has beaten within the period. A stale one is logged once, until
    /// it beats again.
    pub(super) fn all_fresh(&self) -> bool {
        let Some(period) = self.period else {
            return true;
        };
        let now = millis(self.clock.monotonic());
        let mut fresh = true;
        let mut register = self.register.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in register.entries.values_mut() {
            let silent = now.saturating_sub(entry.beaten.load(Ordering::Relaxed));
            let stale = silent > millis(period);
            if stale && !entry.reported {
                error!(
                    task = entry.name,
                    silent_ms = silent,
                    "a task gives no sign of life"
                );
            }
            entry.reported = stale;
            fresh &= !stale;
        }
        fresh
    }
}

/// One task's sign of life. Dropping it unregisters the task, so one that ends cleanly does not
/// become stale.
#[derive(Debug)]
pub struct Pulse {
    id: u64,
    beaten: Arc<AtomicU64>,
    pulses: Arc<Pulses>,
}

impl Pulse {
    /// Records progress. Cheap enough for every batch of bytes.
    pub fn beat(&self) {
        let now = millis(self.pulses.clock.monotonic());
        self.beaten.store(now, Ordering::Relaxed);
    }

    /// Waits for `wait` and beats meanwhile.
    ///
    /// Only for intentional waits (a schedule, a permit, a timer). Around work it would hide that
    /// the work is stuck.
    pub async fn rest<T>(&self, wait: impl Future<Output = T>) -> T {
        let every = self.pulses.period.map_or(REST_WITHOUT_WATCHDOG, |p| p / 4);
        tokio::pin!(wait);
        loop {
            self.beat();
            if let Ok(done) = tokio::time::timeout(every, &mut wait).await {
                self.beat();
                return done;
            }
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        let register = &self.pulses.register;
        let mut register = register.lock().unwrap_or_else(PoisonError::into_inner);
        register.entries.remove(&self.id);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    const PERIOD: Duration = Duration::from_mins(1);

    fn pulses() -> (Clock, Arc<Pulses>) {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        (clock.clone(), Arc::new(Pulses::new(clock, Some(PERIOD))))
    }

    #[test]
    fn one_silent_task_is_enough_to_be_stale() {
        let (clock, pulses) = pulses();
        let poller = pulses.add("poller");
        let downloader = pulses.add("downloader");
        clock.advance(PERIOD);
        assert!(pulses.all_fresh());
        poller.beat();
        clock.advance(Duration::from_secs(1));
        assert!(!pulses.all_fresh());
        downloader.beat();
        assert!(pulses.all_fresh());
    }

    #[test]
    fn a_task_that_has_ended_is_not_missed() {
        let (clock, pulses) = pulses();
        drop(pulses.add("once"));
        clock.advance(PERIOD * 2);
        assert!(pulses.all_fresh());
    }

    #[test]
    fn nothing_is_stale_without_a_watchdog() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let pulses = Arc::new(Pulses::new(clock.clone(), None));
        let _pulse = pulses.add("poller");
        clock.advance(PERIOD * 1000);
        assert!(pulses.all_fresh());
    }

    #[tokio::test(start_paused = true)]
    async fn a_resting_task_stays_fresh() {
        let (clock, pulses) = pulses();
        let pulse = pulses.add("poller");
        let rest = pulse.rest(tokio::time::sleep(PERIOD * 3));
        tokio::pin!(rest);
        for _ in 0..6 {
            clock.advance(PERIOD / 2);
            assert!(
                tokio::time::timeout(PERIOD / 3, &mut rest).await.is_err(),
                "still resting"
            );
            assert!(pulses.all_fresh());
        }
        rest.await;
    }
}
