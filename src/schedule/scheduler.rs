//! The clock of the daemon: tokio-cron-scheduler, whose jobs notify the tasks that run the passes.
//!
//! What is ours answers traps of the crate (0.15.1), each with a test in `tests.rs`:
//! - It looks at its ticks every 500 ms, which wakes an idle daemon twice a second: their lock is held until just
//!   before one is due.
//! - It takes a tick for done once it was sent. A lagging channel loses it, a busy worker lets it be sent twice: here a
//!   tick is done when its job has run, and then only once.
//! - It computes the next tick when one comes, and never again: a clock that was years ahead silences it for years.
//! - It knows nothing of ticks before its start, so that a sweep would be missed while the daemon is down.
//! - Its jobs are detached, so that passes would overlap and not be waited for: a job only notifies.
//! - Its tasks outlive its shutdown, so that a scheduler for each reload would leak: there is one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;
use tokio_cron_scheduler::job::JobId;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError, MetaDataStorage};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{Schedule, slot_passed};
use crate::clock::Clock;
use crate::lifecycle::Pulse;

/// The longest wait without a look at the clock: timers stand still in suspend.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// For how long the crate sleeps between two looks at its ticks.
const CRATE_SLEEP: Duration = Duration::from_millis(500);
/// A clock set back by more than this is believed; by less, the tick just sent would come again.
const SET_BACK: TimeDelta = TimeDelta::minutes(1);

/// One of something for each of the daemon's three schedules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Each<T> {
    /// For the poll pass.
    pub poll: T,
    /// For the sweep.
    pub sweep: T,
    /// For the verification.
    pub verify: T,
}

/// The ticks of one schedule, for one listener. Ticks that nobody has taken yet are one tick.
#[derive(Clone, Debug, Default)]
pub struct Ticks(Arc<Notify>);

impl Ticks {
    /// Wakes the listener now, or when it next listens.
    pub fn notify(&self) {
        self.0.notify_one();
    }

    /// Waits for a tick. Safe to cancel: no tick is lost.
    pub async fn next(&self) {
        self.0.notified().await;
    }
}

/// The three schedules and their ticks; clones share them.
#[derive(Clone, Debug)]
pub struct Scheduler(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    entries: Mutex<[Entry; 3]>,
    replaced: Notify,
}

/// A schedule, and the time up to which its slots are dealt with.
#[derive(Debug)]
struct Entry {
    schedule: Schedule,
    ticks: Ticks,
    last: DateTime<Utc>,
}

impl Entry {
    fn tick_if_due(&mut self, now: DateTime<Utc>) {
        if slot_passed(&self.schedule, self.last, now) {
            debug!(schedule = %self.schedule, "a tick");
            self.last = now;
            self.ticks.notify();
        }
    }
}

impl Scheduler {
    /// Takes the schedules; ticks come once [`Scheduler::run`] runs.
    ///
    /// `last` says when each pass was last begun: slots missed since then (the daemon was
    /// down) are one tick, at once.
    #[must_use]
    pub fn new(schedules: Each<Schedule>, last: Each<DateTime<Utc>>, clock: Clock) -> Self {
        let entry = |schedule, last| Entry {
            schedule,
            ticks: Ticks::default(),
            last,
        };
        let entries = [
            entry(schedules.poll, last.poll),
            entry(schedules.sweep, last.sweep),
            entry(schedules.verify, last.verify),
        ];
        Self(Arc::new(Inner {
            clock,
            entries: Mutex::new(entries),
            replaced: Notify::new(),
        }))
    }

    /// The ticks to listen to.
    #[must_use]
    pub fn ticks(&self) -> Each<Ticks> {
        let [poll, sweep, verify] = &*self.0.entries();
        Each {
            poll: poll.ticks.clone(),
            sweep: sweep.ticks.clone(),
            verify: verify.ticks.clone(),
        }
    }

    /// Puts other schedules into force from now on; the listeners stay. A schedule's new slots
    /// of the past are no ticks.
    pub fn replace(&self, schedules: Each<Schedule>) {
        let now = self.0.clock.now();
        let schedules = [schedules.poll, schedules.sweep, schedules.verify];
        for (entry, schedule) in self.0.entries().iter_mut().zip(schedules) {
            if entry.schedule != schedule {
                // What was due under the old schedule is still owed.
                entry.tick_if_due(now);
                entry.schedule = schedule;
                entry.last = now;
            }
        }
        self.0.replaced.notify_one();
    }

    /// Lets the crate send ticks until `stop`.
    ///
    /// # Errors
    /// The crate's, if it can't start.
    pub async fn run(
        &self,
        stop: CancellationToken,
        pulse: Pulse,
    ) -> Result<(), JobSchedulerError> {
        let (mut cron, ids) = self.start().await?;
        let paced = stop.run_until_cancelled(self.pace(&cron, &ids, &pulse));
        let paced = paced.await.unwrap_or(Ok(()));
        cron.shutdown().await.and(paced)
    }

    async fn start(&self) -> Result<(JobScheduler, Vec<JobId>), JobSchedulerError> {
        let texts = self.0.entries().each_ref().map(|e| e.schedule.to_string());
        let (cron, mut ids) = (JobScheduler::new().await?, Vec::new());
        for (index, text) in texts.into_iter().enumerate() {
            let inner = self.0.clone();
            let job = Job::new(text, move |_, _| inner.tick_if_due(index))?;
            ids.push(cron.add(job).await?);
        }
        cron.start().await?;
        Ok((cron, ids))
    }

    /// Lets the crate look at its ticks just before one is due, at least every [`LOOK_EVERY`].
    async fn pace(
        &self,
        cron: &JobScheduler,
        ids: &[JobId],
        pulse: &Pulse,
    ) -> Result<(), JobSchedulerError> {
        loop {
            let mut held = cron.context.metadata_storage.write().await;
            let wait = tokio::time::timeout(self.0.quiet(), self.0.replaced.notified());
            _ = pulse.rest(wait).await;
            self.0.set_ticks(&mut **held, ids).await?;
            drop(held);
            // It has the time of before it waited for the lock: another look is what sends the tick.
            tokio::time::sleep(2 * CRATE_SLEEP).await;
        }
    }
}

impl Inner {
    fn entries(&self) -> MutexGuard<'_, [Entry; 3]> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The job of a schedule.
    fn tick_if_due(&self, index: usize) {
        self.entries()[index].tick_if_due(self.clock.now());
    }

    /// The next tick of each schedule; in the past, if it is due.
    fn next_ticks(&self) -> [Option<DateTime<Utc>>; 3] {
        let now = self.clock.now();
        self.entries().each_mut().map(|entry| {
            if now + SET_BACK < entry.last {
                entry.last = now;
            }
            entry.schedule.next_after(entry.last)
        })
    }

    /// Sets the next ticks in the crate: it may have lost one, or the clock or a schedule have changed.
    async fn set_ticks(
        &self,
        crates: &mut (dyn MetaDataStorage + Send + Sync),
        ids: &[JobId],
    ) -> Result<(), JobSchedulerError> {
        for (id, next) in ids.iter().zip(self.next_ticks()) {
            crates.set_next_and_last_tick(*id, next, None).await?;
        }
        Ok(())
    }

    /// How long the crate need not look: it sleeps once more before it sends a tick.
    fn quiet(&self) -> Duration {
        let next = self.next_ticks().into_iter().flatten().min();
        let until = next.map(|next| (next - self.clock.now()).to_std().unwrap_or_default());
        until.map_or(LOOK_EVERY, |until| {
            until.saturating_sub(CRATE_SLEEP).min(LOOK_EVERY)
        })
    }
}

#[cfg(test)]
mod tests;
