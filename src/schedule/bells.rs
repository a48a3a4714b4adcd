//! Rings once per slot, from two clocks: tokio-cron-scheduler, and a timer of our own.
//!
//! The crate alone would not do: it drops jobs when its channels lag, sees no resume from
//! suspend, and never ends its tasks. So its jobs only ask "is a slot due?", as the timer does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use super::{Schedule, slot_passed};
use crate::clock::Clock;
use crate::lifecycle::Pulse;

/// The longest time without a look at the clock: timers stand still in suspend.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// A wall clock set back by more than this is believed; by less, the slot just rung for
/// would ring again.
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

/// A bell for one listener. Rings that were not heard yet are one ring.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    /// Rings; the listener wakes now, or when it next listens.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Waits for a ring. Safe to cancel: no ring is lost.
    pub async fn rung(&self) {
        self.0.notified().await;
    }
}

/// The three bells and their schedules; clones share them.
#[derive(Clone, Debug)]
pub struct Bells(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    chimes: Mutex<[Chime; 3]>,
    replaced: Notify,
}

/// A schedule, its bell, and the time up to which its slots are dealt with.
#[derive(Debug)]
struct Chime {
    schedule: Schedule,
    bell: Bell,
    last: DateTime<Utc>,
}

impl Chime {
    fn ring_if_due(&mut self, now: DateTime<Utc>) {
        if now + SET_BACK < self.last {
            self.last = now;
        }
        if slot_passed(&self.schedule, self.last, now) {
            debug!(schedule = %self.schedule, "a schedule's slot has come");
            self.last = now;
            self.bell.ring();
        }
    }
}

impl Bells {
    /// Hangs the bells; they ring once [`Bells::run`] runs.
    ///
    /// `last` says when each pass was last begun: slots missed since then (the daemon was
    /// down) ring once, at once. `None` (never) rings at once.
    #[must_use]
    pub fn new(schedules: Each<Schedule>, last: Each<Option<DateTime<Utc>>>, clock: Clock) -> Self {
        let hang = |schedule, last: Option<_>| {
            let bell = Bell::default();
            if last.is_none() {
                bell.ring();
            }
            Chime {
                schedule,
                bell,
                last: last.unwrap_or_else(|| clock.now()),
            }
        };
        let chimes = [
            hang(schedules.poll, last.poll),
            hang(schedules.sweep, last.sweep),
            hang(schedules.verify, last.verify),
        ];
        Self(Arc::new(Inner {
            clock,
            chimes: Mutex::new(chimes),
            replaced: Notify::new(),
        }))
    }

    /// The bells to listen to.
    #[must_use]
    pub fn bells(&self) -> Each<Bell> {
        let [poll, sweep, verify] = &*self.0.chimes();
        Each {
            poll: poll.bell.clone(),
            sweep: sweep.bell.clone(),
            verify: verify.bell.clone(),
        }
    }

    /// Puts other schedules into force from now on; the bells stay. A schedule's new slots
    /// of the past don't ring.
    pub fn replace(&self, schedules: Each<Schedule>) {
        let now = self.0.clock.now();
        let mut changed = false;
        let schedules = [schedules.poll, schedules.sweep, schedules.verify];
        for (chime, schedule) in self.0.chimes().iter_mut().zip(schedules) {
            if chime.schedule != schedule {
                // What was due under the old schedule is still owed.
                chime.ring_if_due(now);
                chime.schedule = schedule;
                chime.last = now;
                changed = true;
            }
        }
        // The crate's tasks outlive its shutdown, idle: a new scheduler only for new texts.
        if changed {
            self.0.replaced.notify_one();
        }
    }

    /// Rings until `stop`.
    pub async fn run(&self, stop: CancellationToken, pulse: Pulse) {
        let mut cron = self.start_cron().await;
        loop {
            self.0.ring_due();
            tokio::select! {
                () = stop.cancelled() => break,
                () = pulse.rest(tokio::time::sleep(self.0.until_next_look())) => {}
                () = self.0.replaced.notified() => {
                    shut_down(cron).await;
                    cron = self.start_cron().await;
                }
            }
        }
        shut_down(cron).await;
    }

    /// Starts the crate's scheduler. Without it the timer still rings.
    async fn start_cron(&self) -> Option<JobScheduler> {
        match self.try_start_cron().await {
            Ok(cron) => Some(cron),
            Err(error) => {
                error!(%error, "could not start the cron scheduler; going by the timer alone");
                None
            }
        }
    }

    async fn try_start_cron(&self) -> Result<JobScheduler, JobSchedulerError> {
        let texts = self.0.chimes().each_ref().map(|c| c.schedule.to_string());
        let cron = JobScheduler::new().await?;
        for text in texts {
            // Weak: the crate keeps jobs for ever.
            let inner = Arc::downgrade(&self.0);
            let look = move |_, _| {
                if let Some(inner) = Weak::upgrade(&inner) {
                    inner.ring_due();
                }
            };
            cron.add(Job::new(text, look)?).await?;
        }
        cron.start().await?;
        Ok(cron)
    }
}

impl Inner {
    fn chimes(&self) -> MutexGuard<'_, [Chime; 3]> {
        self.chimes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring_due(&self) {
        let mut chimes = self.chimes();
        let now = self.clock.now();
        for chime in chimes.iter_mut() {
            chime.ring_if_due(now);
        }
    }

    /// The time to the next slot, but no longer than [`LOOK_EVERY`].
    fn until_next_look(&self) -> Duration {
        let now = self.clock.now();
        self.chimes()
            .iter()
            .filter_map(|chime| chime.schedule.next_after(now))
            .filter_map(|slot| (slot - now).to_std().ok())
            .fold(LOOK_EVERY, Duration::min)
    }
}

async fn shut_down(cron: Option<JobScheduler>) {
    if let Some(mut cron) = cron
        && let Err(error) = cron.shutdown().await
    {
        error!(%error, "could not shut the cron scheduler down");
    }
}

#[cfg(test)]
mod tests;
