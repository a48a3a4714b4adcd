//! The claim loop: wake on a notification or a timer, claim as many due recordings as can start, run each in
//! its own task. The notification is registered before the query, so that none is lost.

mod ended;
mod pause;
mod pauses;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use pause::Pause;

use super::Setup;
use super::failure::{Failure, PAUSE};
use super::job::{Done, GiveUp, Job};
use super::pace::Pace;
use super::place::facts;
use super::proof::Proof;
use super::wake::{Slot, Wake};
use super::watermark::Watermark;
use crate::model::RecordingId;
use crate::store::{self, Claim, PauseKind, PauseRow};

/// The longest sleep while something waits: timers stand still in suspend.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);
/// The longest while nothing does; what another process makes due, the reporter rings for.
const IDLE_SLEEP: Duration = Duration::from_mins(5);
/// The shortest.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);
/// Recordings that land at once, besides the transfers: they wait for the disk together and not one
/// after another.
const LANDINGS: usize = 32;
/// For how long, for each of its failures, a recording is left alone once others succeed again.
const FAILED_AGAIN: Duration = Duration::from_secs(5);
/// How soon a retry or the end of a pause has to be due for a single run to wait for it.
const SOON: TimeDelta = TimeDelta::seconds(60);
/// Attempts at one recording in a single run.
const MOST_TRIES: u32 = 5;
/// For how long a single run goes on without progress, besides such waits.
const PATIENCE: Duration = Duration::from_secs(25);
/// How often a single run waits because a host said when to come back (Retry-After).
const MOST_WAITS: u32 = 2;
/// Recordings that become due with each one that succeeds after a host, or all downloads, failed.
const WOKEN: u32 = 8;

/// When the loop ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// When the process is to stop.
    Stopped,
    /// When nothing is left that can be done soon.
    Drained,
}

/// The download queue of one archive.
#[derive(Clone)]
pub struct Downloader {
    setup: watch::Receiver<Arc<Setup>>,
    wake: Wake,
    stop: CancellationToken,
    pause: Arc<Mutex<Option<Pause>>>,
    /// When a pause of each reason was last met.
    met: Arc<Mutex<BTreeMap<PauseKind, DateTime<Utc>>>>,
    pace: Pace,
}

/// What one run of the loop remembers.
struct Run {
    until: Until,
    /// It is to end soon whatever fails: when it began.
    bounded: Option<DateTime<Utc>>,
    jobs: JoinSet<store::Result<Done>>,
    /// Transfers under way.
    taken: Arc<AtomicUsize>,
    archived: u64,
    /// The first attempts of this run.
    first: HashMap<RecordingId, u32>,
    /// Until when a media host asked to wait, and how often that was waited for.
    asked_until: Option<DateTime<Utc>>,
    waits: u32,
    /// Hosts that work again, whose recordings are still being woken.
    recovering: HashSet<String>,
    /// The least room that a recording waits for, and when it was last looked for (monotonic).
    space_wanted: Option<(u64, Duration)>,
    /// The pauses as the database has them.
    shown: Vec<PauseRow>,
}

impl Downloader {
    /// A queue that works with the latest of `setup`; transfers under way keep the one they began with.
    #[must_use]
    pub fn new(setup: watch::Receiver<Arc<Setup>>, wake: Wake, stop: CancellationToken) -> Self {
        Self {
            setup,
            wake,
            stop,
            pause: Arc::default(),
            met: Arc::default(),
            pace: Pace::default(),
        }
    }

    /// Claims and downloads. After a stop it waits for the transfers under way, which stop by themselves.
    /// Returns how many recordings were archived. While the database is locked or its disk is full it tries again.
    ///
    /// # Errors
    /// [`store::Error`], if the database is damaged; with [`Until::Drained`] also if it keeps failing.
    ///
    /// # Panics
    /// If a download panicked: its state is unknown then.
    pub async fn run(&self, until: Until) -> store::Result<u64> {
        let mut run = Run::new(until);
        self.pace.excuse(self.monotonic());
        self.go_on(&mut run).await?;
        Ok(run.archived)
    }

    /// As [`Downloader::run`] with [`Until::Drained`], and waits for what a person would wait for: the end of a
    /// short `Retry-After`, and the next try while downloads fail one after another. It ends soon whatever fails.
    ///
    /// # Errors
    /// [`store::Error`], if the database is damaged or keeps failing.
    pub async fn drain(&self) -> store::Result<u64> {
        let mut run = Run {
            bounded: Some(self.setup.borrow().clock.now()),
            ..Run::new(Until::Drained)
        };
        self.pace.excuse(self.monotonic());
        loop {
            self.go_on(&mut run).await?;
            let Some(wait) = self.worth_a_wait(&mut run).await? else {
                return Ok(run.archived);
            };
            let waited = tokio::time::sleep(wait);
            if self.stop.run_until_cancelled(waited).await.is_none() {
                return Ok(run.archived);
            }
        }
    }

    /// For how long a single run waits before it goes on, if it is worth it.
    async fn worth_a_wait(&self, run: &mut Run) -> store::Result<Option<Duration>> {
        let setup = self.setup.borrow().clone();
        let (now, monotonic) = (setup.clock.now(), setup.clock.monotonic());
        let pause = self.paused();
        let asked = pause.as_ref().filter(|pause| pause.asked_for);
        let asked = asked.map(|pause| pause.until).max(run.asked_until.take());
        if let Some(until) = asked.filter(|until| *until > now && *until <= now + SOON)
            && run.waits < MOST_WAITS
        {
            run.waits += 1;
            let wait = (until - now).to_std().unwrap_or_default();
            self.pace.excuse(monotonic + wait);
            return Ok(Some(wait));
        }
        let slow = self.pace.slow().map(|slow| slow.next);
        let probe = setup.hosts.next_probe();
        let next = slow.into_iter().chain(probe).min();
        let is_worth_it = pause.is_none()
            && next.is_some()
            && !self.is_over(&setup, run)
            && setup
                .store
                .is_any_left(run.soon(now), probe.is_some())
                .await?;
        let wait = next.unwrap_or_default().saturating_sub(monotonic);
        Ok(is_worth_it.then_some(wait.max(SHORTEST_SLEEP)))
    }

    async fn go_on(&self, run: &mut Run) -> store::Result<()> {
        while !self.stop.is_cancelled() {
            let setup = self.setup.borrow().clone();
            (setup.beat)();
            let wake = self.wake.woken();
            tokio::pin!(wake);
            wake.as_mut().enable();
            while let Some(done) = run.jobs.try_join_next() {
                self.ended(done, run)?;
            }
            let next = match self.step(&setup, run).await {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(error) if error.may_pass() && !self.is_over(&setup, run) => {
                    setup.store.trouble().note(&error, setup.clock.now());
                    LONGEST_SLEEP / 2
                }
                Err(error) => return Err(error),
            };
            tokio::select! {
                () = &mut wake => {}
                () = rest(next, &setup) => {}
                () = self.stop.cancelled() => {}
                Some(done) = run.jobs.join_next() => self.ended(done, run)?,
            }
        }
        while let Some(done) = run.jobs.join_next().await {
            self.ended(done, run)?;
        }
        Ok(())
    }

    fn monotonic(&self) -> Duration {
        self.setup.borrow().clock.monotonic()
    }

    /// Wakes what waits, claims what can start, and returns for how long to sleep; `None`: nothing is left to do.
    async fn step(&self, setup: &Arc<Setup>, run: &mut Run) -> store::Result<Option<Duration>> {
        self.wake(setup, run).await?;
        self.show_pauses(setup, run).await?;
        let (now, monotonic) = (setup.clock.now(), setup.clock.monotonic());
        let pause = self.pause().clone().filter(|pause| pause.until > now);
        let slow = self.pace.slow();
        let free = run.free(setup);
        let most = match &slow {
            Some(slow) if slow.busy || slow.next > monotonic => 0,
            Some(_) => free.min(1),
            None => free,
        };
        let over = self.is_over(setup, run);
        let mut started = 0;
        if pause.is_none() && most > 0 && !over {
            let claims = if slow.is_some() {
                let order = self.pace.next_trial(setup.order);
                setup.store.claim_trial(order, now, &self.stop).await?
            } else {
                let limit = u32::try_from(most).unwrap_or(u32::MAX);
                let order = self.pace.order(setup.order);
                let claims = setup.store.claim(limit, order, now, &self.stop);
                claims.await?
            };
            for claim in claims {
                started += 1;
                self.start(setup, run, claim);
            }
        }
        // Only what is claimed in full leaves nothing but recordings that wait for their time. Those that wait for
        // something else are looked for from time to time.
        let next = if pause.is_none() && started < most {
            self.pace.all_are_claimed();
            setup.store.next_due().await?
        } else {
            None
        };
        let drained = run.until == Until::Drained && started == 0 && run.jobs.is_empty();
        let soon = most > 0 && pause.is_none() && next.is_some_and(|next| next <= run.soon(now));
        if drained && (over || !soon) {
            return Ok(None);
        }
        if started == 0 && run.jobs.is_empty() && pause.is_none() && next.is_none() {
            self.forget_what_is_over(setup, now).await?;
        }
        let slow = slow
            .filter(|slow| !slow.busy && free > 0)
            .map(|slow| slow.next.saturating_sub(monotonic));
        let wake = [next, pause.map(|pause| pause.until)]
            .into_iter()
            .flatten()
            .map(|at| (at - now).to_std().unwrap_or_default())
            .chain(slow)
            .min();
        let waits = run.space_wanted.is_some() || setup.hosts.next_probe().is_some();
        let wake = match wake {
            None if run.jobs.is_empty() && !waits => IDLE_SLEEP,
            wake => wake.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP),
        };
        Ok(Some(wake.max(SHORTEST_SLEEP)))
    }

    /// Whether a single run has gone on without progress for long enough.
    fn is_over(&self, setup: &Setup, run: &Run) -> bool {
        let now = setup.clock.monotonic();
        run.bounded.is_some() && now > self.pace.progress_at(now) + PATIENCE
    }

    fn start(&self, setup: &Arc<Setup>, run: &mut Run, claim: Claim) {
        let (setup, stop) = (setup.clone(), self.stop.clone());
        let (pace, under_way) = (self.pace.clone(), self.pace.start());
        let slot = Some(Slot::take(&run.taken, &self.wake));
        let give_up = run.bounded.map(|_| {
            let first = *run.first.entry(claim.id).or_insert(claim.attempt);
            GiveUp {
                at_once: claim.attempt + 1 >= first + MOST_TRIES,
                patience: PATIENCE,
                later: SOON + TimeDelta::seconds(1),
            }
        });
        run.jobs.spawn(async move {
            Job {
                setup: &setup,
                stop: &stop,
                described: false,
                standing: None,
                watermark: Watermark::of(&claim.part),
                proof: Proof { pace, under_way },
                give_up,
                slot,
                place: setup.template.render(&facts(&claim, None)),
                claim,
            }
            .run()
            .await
        });
    }

    /// Makes recordings due again whose reason to wait is over.
    async fn wake(&self, setup: &Setup, run: &mut Run) -> store::Result<()> {
        for host in setup.hosts.due(setup.clock.monotonic()) {
            let (now, at_once) = (setup.clock.now(), Duration::ZERO);
            let woken = setup.store.wake_after_recovery(&host, 1, now, at_once);
            if woken.await? == 0 && !setup.store.is_any_on_host(&host).await? {
                setup.hosts.forget(&host);
            }
        }
        for host in self.pace.take_recovered() {
            self.wake_more(setup, run, host).await?;
        }
        let monotonic = setup.clock.monotonic();
        if let Some((wanted, looked_at)) = run.space_wanted
            && monotonic >= looked_at + LONGEST_SLEEP
        {
            run.space_wanted = Some((wanted, monotonic));
            let room = setup.root.free_space().unwrap_or(0);
            if room.saturating_sub(setup.min_free_space) >= wanted {
                setup.store.wake_for_space().await?;
                run.space_wanted = None;
            }
        }
        Ok(())
    }

    /// Wakes a few recordings of a host that works again, and more with each of them that succeeds.
    async fn wake_more(&self, setup: &Setup, run: &mut Run, host: String) -> store::Result<()> {
        let now = setup.clock.now();
        let woken = setup
            .store
            .wake_after_recovery(&host, WOKEN, now, FAILED_AGAIN);
        if woken.await? > 0 {
            run.recovering.insert(host);
        } else {
            run.recovering.remove(&host);
        }
        Ok(())
    }
}

/// Sleeps on purpose, with signs of life.
async fn rest(mut time: Duration, setup: &Setup) {
    while !time.is_zero() {
        let part = time.min(LONGEST_SLEEP);
        tokio::time::sleep(part).await;
        (setup.beat)();
        time -= part;
    }
}

impl Run {
    fn new(until: Until) -> Self {
        Self {
            until,
            bounded: None,
            jobs: JoinSet::new(),
            taken: Arc::default(),
            archived: 0,
            first: HashMap::new(),
            asked_until: None,
            waits: 0,
            recovering: HashSet::new(),
            space_wanted: None,
            shown: Vec::new(),
        }
    }

    /// What is due by then is worth a wait. In a bounded run what is given up is due later, however long it takes.
    fn soon(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.bounded.unwrap_or(now) + SOON
    }

    /// Downloads that can start.
    fn free(&self, setup: &Setup) -> usize {
        let transfers = setup
            .concurrency
            .saturating_sub(self.taken.load(Ordering::Relaxed));
        (setup.concurrency + LANDINGS)
            .saturating_sub(self.jobs.len())
            .min(transfers)
    }
}
