//! The claim loop: wake on a ring or a timer, claim as many due recordings as can start, run each in
//! its own task. The ring is registered before the query, so that none is lost.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Setup;
use super::job::{Done, Job};
use super::retry::{Failure, PAUSE};
use super::ring::{Ring, Slot};
use crate::store::{self, Part};

/// The longest sleep: writers other than this process ring no bell.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);
/// Recordings that land at once, besides the transfers: they wait for the disk together and not one
/// after another.
const LANDINGS: usize = 32;
/// How soon a retry has to be due for a single run to wait for it.
const SOON: TimeDelta = TimeDelta::seconds(60);
/// So many recordings put off in a row mean that the disk is as good as full.
const MOST_PUT_OFF: u32 = 16;

/// When the loop ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// When the process is to stop.
    Stopped,
    /// When nothing is left that can be done soon.
    Drained,
}

/// Why no downloads are started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// What stops them: `disk` or `api`.
    pub reason: &'static str,
    /// The failure's text.
    pub text: String,
    /// When it is tried again.
    pub until: DateTime<Utc>,
}

/// The download queue of one archive.
#[derive(Clone)]
pub struct Downloader {
    setup: watch::Receiver<Arc<Setup>>,
    ring: Ring,
    stop: CancellationToken,
    pause: Arc<Mutex<Option<Pause>>>,
}

impl Downloader {
    /// A queue that works with the latest of `setup`; transfers under way keep the one they began with.
    #[must_use]
    pub fn new(setup: watch::Receiver<Arc<Setup>>, ring: Ring, stop: CancellationToken) -> Self {
        Self {
            setup,
            ring,
            stop,
            pause: Arc::default(),
        }
    }

    /// Why no downloads are started just now, if so.
    #[must_use]
    pub fn paused(&self) -> Option<Pause> {
        self.pause
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Ends a pause at once: what caused it may have been mended.
    pub fn resume(&self) {
        *self.pause.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.ring.ring();
    }

    /// Claims and downloads. After a stop it waits for the transfers under way, which stop by themselves.
    /// Returns how many recordings were archived.
    ///
    /// # Errors
    /// [`store::Error`], if the database fails.
    ///
    /// # Panics
    /// If a download panicked: its state is unknown then.
    pub async fn run(&self, until: Until) -> store::Result<u64> {
        let mut jobs = JoinSet::new();
        let taken = Arc::new(AtomicUsize::new(0));
        let mut archived = 0;
        let mut put_off = 0;
        while !self.stop.is_cancelled() {
            let setup = self.setup.borrow().clone();
            (setup.beat)();
            let ring = self.ring.rung();
            tokio::pin!(ring);
            ring.as_mut().enable();
            while let Some(done) = jobs.try_join_next() {
                archived += self.ended(done, &mut put_off)?;
            }
            let now = setup.clock.now();
            let pause = self.current_pause(now);
            let free = (setup.concurrency + LANDINGS)
                .saturating_sub(jobs.len())
                .min(
                    setup
                        .concurrency
                        .saturating_sub(taken.load(Ordering::Relaxed)),
                );
            let mut started = 0;
            if pause.is_none() && free > 0 {
                let limit = u32::try_from(free).unwrap_or(u32::MAX);
                for claim in setup.store.claim(limit, setup.order, now).await? {
                    started += 1;
                    let (setup, stop) = (setup.clone(), self.stop.clone());
                    let slot = Some(Slot::take(&taken, &self.ring));
                    jobs.spawn(async move {
                        Job {
                            setup: &setup,
                            stop: &stop,
                            noted: claim.part != Part::default(),
                            slot,
                            claim,
                        }
                        .run()
                        .await
                    });
                }
            }
            // Only what is claimed in full leaves nothing but recordings that wait for their time.
            let next = if pause.is_none() && started < free {
                setup.store.next_due().await?
            } else {
                None
            };
            if until == Until::Drained
                && started == 0
                && jobs.is_empty()
                && (pause.is_some() || next.is_none_or(|next| next > now + SOON))
            {
                break;
            }
            let wake = [next, pause.map(|pause| pause.until)]
                .into_iter()
                .flatten()
                .map(|at| (at - now).to_std().unwrap_or_default())
                .min()
                .unwrap_or(LONGEST_SLEEP)
                .clamp(Duration::from_millis(10), LONGEST_SLEEP);
            tokio::select! {
                () = &mut ring => {}
                () = tokio::time::sleep(wake) => {}
                () = self.stop.cancelled() => {}
                Some(done) = jobs.join_next() => archived += self.ended(done, &mut put_off)?,
            }
        }
        while let Some(done) = jobs.join_next().await {
            archived += self.ended(done, &mut put_off)?;
        }
        Ok(archived)
    }

    fn ended(
        &self,
        done: Result<store::Result<Done>, tokio::task::JoinError>,
        put_off: &mut u32,
    ) -> store::Result<u64> {
        let done = done.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => panic!("a download was aborted: {error}"),
        })?;
        match &done.failure {
            Some(failure @ (Failure::Disk(_) | Failure::Api(..))) => self.begin_pause(failure),
            Some(failure @ Failure::PutOff(_)) => {
                *put_off += 1;
                if put_off.is_multiple_of(MOST_PUT_OFF) {
                    self.begin_pause(failure);
                }
            }
            _ => *put_off = 0,
        }
        Ok(u64::from(done.archived))
    }

    fn begin_pause(&self, failure: &Failure) {
        let now = self.setup.borrow().clock.now();
        let (reason, until) = match failure {
            Failure::Api(_, until) => ("api", until.unwrap_or(now + PAUSE)),
            _ => ("disk", now + PAUSE),
        };
        let text = failure.text().unwrap_or_default();
        tracing::warn!("downloads pause: {text}");
        *self.pause.lock().unwrap_or_else(PoisonError::into_inner) = Some(Pause {
            reason,
            text,
            until,
        });
    }

    fn current_pause(&self, now: DateTime<Utc>) -> Option<Pause> {
        let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        if pause.as_ref().is_some_and(|pause| pause.until <= now) {
            *pause = None;
        }
        pause.clone()
    }
}
