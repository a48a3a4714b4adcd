//! The copies to one target: which recording is next.

mod ended;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::breaker::Breaker;
use super::buffers::Buffers;
use super::confirm::{self, Confirmed};
use super::failed::Failed;
use super::first_look::FirstLook;
use super::job::{Job, Placed};
use super::setup::Setup;
use super::sidecar::{self, Updated};
use super::upkeep;
use crate::store::{self, CopyRow};

/// How often it is looked whether the database was written to.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often without that: what was put off may be due.
const IDLE: Duration = Duration::from_secs(30);
/// Times of files are coarse: what was written so shortly before a look may have come after it.
const COARSE: TimeDelta = TimeDelta::seconds(2);
/// The longest that [`Copier::drain`] waits for a copy that was put off.
const LONGEST_DRAIN: Duration = Duration::from_mins(1);
/// Rows that are read at once. The next may be others a second later.
const AHEAD: usize = 128;

/// Copies recordings to one target.
pub struct Copier {
    setup: Arc<Setup>,
    breaker: Breaker,
    upkeep: upkeep::Turn,
    permits: Arc<Semaphore>,
    buffers: Buffers,
    first_look: Arc<FirstLook>,
    tasks: JoinSet<Ended>,
    /// Permits of the copies under way.
    used: u32,
    /// Recordings that are being copied, or were and are not noted yet.
    busy: HashSet<i64>,
    /// Recordings that are next, and when they were read (monotonic).
    next: VecDeque<CopyRow>,
    next_at: Duration,
    /// Uploads that are to be confirmed, and since when the first waits (monotonic).
    placed: Vec<(Job, Placed)>,
    placed_at: Duration,
    /// Whether some are being confirmed.
    confirming: bool,
    sidecars: sidecar::Turn,
    /// When the rows were last brought up to date.
    enrolled_at: Option<DateTime<Utc>>,
    /// When they may be brought up to date again (monotonic).
    enrol_at: Duration,
    /// Whether the database has it that the target fails.
    noted: bool,
    /// Copies that were made.
    copied: u64,
}

/// What ended.
enum Ended {
    /// The upload of a file.
    Upload(Box<Job>, Result<Placed, Failed>),
    /// The look for what was uploaded.
    Confirmed(store::Result<Confirmed>),
    /// Sidecars.
    Sidecars(store::Result<Updated>),
    /// Upkeep.
    Upkeep(store::Result<upkeep::Done>),
}

impl Copier {
    /// Copies to one target.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let permits = Semaphore::new(setup.all_permits() as usize);
        Self {
            permits: Arc::new(permits),
            setup: Arc::new(setup),
            breaker: Breaker::default(),
            upkeep: upkeep::Turn::default(),
            buffers: Buffers::default(),
            first_look: Arc::default(),
            tasks: JoinSet::new(),
            used: 0,
            busy: HashSet::new(),
            next: VecDeque::new(),
            next_at: Duration::ZERO,
            placed: Vec::new(),
            placed_at: Duration::ZERO,
            confirming: false,
            sidecars: sidecar::Turn::default(),
            enrolled_at: None,
            enrol_at: Duration::ZERO,
            noted: false,
            copied: 0,
        }
    }

    /// Copies what is to be copied until the stop. What is under way then goes on at the next start.
    ///
    /// # Errors
    /// The database's. The copier can be run again.
    pub async fn run(&mut self) -> store::Result<()> {
        self.work_until(false).await
    }

    /// Copies what is to be copied now, with retries that are due soon. It ends early if the target fails. Returns how
    /// many copies were made.
    ///
    /// # Errors
    /// The database's.
    pub async fn drain(&mut self) -> store::Result<u64> {
        self.work_until(true).await?;
        Ok(self.copied)
    }

    async fn work_until(&mut self, drained: bool) -> store::Result<()> {
        let stop = self.setup.stop.clone();
        let ended = stop.run_until_cancelled(self.work(drained)).await;
        self.tasks.shutdown().await;
        self.used = 0;
        self.busy.clear();
        self.next.clear();
        self.placed.clear();
        self.confirming = false;
        self.first_look = Arc::default();
        self.sidecars.stop();
        self.upkeep = upkeep::Turn::default();
        ended.unwrap_or(Ok(()))
    }

    async fn work(&mut self, drained: bool) -> store::Result<()> {
        let mut rows = self.setup.store.copy_targets().await?.into_iter();
        let row = rows.find(|row| row.id == self.setup.id);
        if row.is_some_and(|row| row.failing_since.is_some()) {
            // What waited for the target is tried at once: the reason may be gone with the restart.
            self.setup.store.copies_go_on(self.setup.id).await?;
            self.noted = true;
        }
        loop {
            (self.setup.beat)();
            self.enrol().await?;
            let wait = self.wait_for_target();
            if wait.is_zero() {
                self.start().await?;
                self.look_after();
                self.confirm();
            }
            self.store_cooldowns().await?;
            if drained && self.tasks.is_empty() && self.is_drained().await? {
                return Ok(());
            }
            if self.is_idle() {
                self.buffers.release();
            }
            let pause = self.pause(wait).await?;
            tokio::select! {
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(ended) => self.ended(ended).await?,
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Err(_) => {}
                },
                () = news(&self.setup, self.enrolled_at, pause) => {}
            }
        }
    }

    /// How long nothing has to be looked at, while the target can't be used for `wait`.
    async fn pause(&self, wait: Duration) -> store::Result<Duration> {
        if !self.placed.is_empty() || self.sidecars.is_due() {
            return Ok(LOOK_EVERY);
        }
        Ok(if !wait.is_zero() {
            wait.min(IDLE)
        } else if self.tasks.is_empty() {
            self.until_due().await?.map_or(IDLE, |wait| wait.min(IDLE))
        } else {
            IDLE
        })
    }

    /// Brings the rows up to date if something was written.
    async fn enrol(&mut self) -> store::Result<()> {
        let monotonic = self.setup.clock.monotonic();
        if monotonic < self.enrol_at || !is_written(&self.setup, self.enrolled_at) {
            return Ok(());
        }
        self.enrol_at = monotonic + LOOK_EVERY;
        let now = self.setup.clock.now();
        while self.setup.store.enrol_copies(self.setup.id, now).await? {
            (self.setup.beat)();
        }
        self.enrolled_at = Some(now);
        self.sidecars.may_be_due(monotonic);
        Ok(())
    }

    /// Whether nothing more can be done soon, while nothing is under way.
    async fn is_drained(&self) -> store::Result<bool> {
        if self.breaker.is_failing() || self.wait_for_target() > LONGEST_DRAIN {
            return Ok(true);
        }
        let now = self.setup.clock.now();
        let (store, id) = (&self.setup.store, self.setup.id);
        if !store.due_copies(id, 1, now).await?.is_empty() {
            return Ok(false);
        }
        let soon = self.until_due().await?;
        let sidecars = self.sidecars.is_due_at(self.setup.clock.monotonic(), true);
        Ok(!sidecars && soon.is_none_or(|wait| wait > LONGEST_DRAIN))
    }

    /// For how long nothing is sent to the target.
    fn wait_for_target(&self) -> Duration {
        let until = self.setup.target.cools_until();
        let cools = until.map(|until| (until - self.setup.clock.now()).to_std());
        let cools = cools.and_then(Result::ok).unwrap_or_default();
        cools.max(self.breaker.wait(self.setup.clock.monotonic()))
    }

    /// Begins what is to be done beside copies. While the target fails, only if there is no copy to try it with.
    fn look_after(&mut self) {
        if self.breaker.is_failing() && !self.is_idle() {
            return;
        }
        let now = self.setup.clock.monotonic();
        if let Some(tidy) = self.upkeep.begin(now) {
            let setup = self.setup.clone();
            let run = async move { Ended::Upkeep(upkeep::run(&setup, tidy).await) };
            self.tasks.spawn(run);
        }
        let idle = self.next.is_empty() && self.placed.is_empty();
        if let Some(after) = self.sidecars.begin(now, idle) {
            let (setup, first_look) = (self.setup.clone(), self.first_look.clone());
            let update = async move { sidecar::update(&setup, &first_look, after).await };
            self.tasks
                .spawn(async move { Ended::Sidecars(update.await) });
        }
    }

    /// Whether no copy is under way.
    fn is_idle(&self) -> bool {
        self.used == 0 && self.placed.is_empty() && !self.confirming
    }

    /// Starts as many copies as may be under way: one, if the target fails.
    async fn start(&mut self) -> store::Result<()> {
        let monotonic = self.setup.clock.monotonic();
        if !self.breaker.wait(monotonic).is_zero() {
            return Ok(());
        }
        loop {
            let failing = self.breaker.is_failing();
            // What was uploaded is confirmed before there is much more of it.
            if failing && !self.is_idle() || self.busy.len() >= 2 * confirm::AT_ONCE {
                return Ok(());
            }
            if self.next.is_empty() || monotonic >= self.next_at + LOOK_EVERY {
                self.read_next(monotonic).await?;
            }
            let Some(row) = self.next.front() else {
                return Ok(());
            };
            let used = self.used + self.setup.permits(row.bytes);
            if self.used > 0 && used > self.setup.all_permits() {
                return Ok(());
            }
            self.spawn();
        }
    }

    /// How long it is until a copy is due that was put off; `None`: none was.
    async fn until_due(&self) -> store::Result<Option<Duration>> {
        let next = self.setup.store.next_copy_due(self.setup.id).await?;
        let wait = next.map(|next| (next - self.setup.clock.now()).to_std().unwrap_or_default());
        Ok(wait.map(|wait| wait.max(Duration::from_millis(20))))
    }

    async fn store_cooldowns(&self) -> store::Result<()> {
        match self.setup.cooldowns.take_changed(self.setup.clock.now()) {
            Some(cooldowns) => self.setup.store.set_cooldowns(&cooldowns).await,
            None => Ok(()),
        }
    }

    async fn read_next(&mut self, monotonic: Duration) -> store::Result<()> {
        let (store, now) = (&self.setup.store, self.setup.clock.now());
        let due = store.due_copies(self.setup.id, AHEAD + self.busy.len(), now);
        let due = due.await?.into_iter();
        let new = due.filter(|row| !self.busy.contains(&row.recording));
        self.next = new.collect();
        self.next_at = monotonic;
        Ok(())
    }

    fn spawn(&mut self) {
        let Some(row) = self.next.pop_front() else {
            return;
        };
        self.busy.insert(row.recording);
        self.used += self.setup.permits(row.bytes);
        let job = Job {
            setup: self.setup.clone(),
            row,
            permits: self.permits.clone(),
            buffers: self.buffers.clone(),
            progressed: Arc::default(),
            first_look: self.first_look.clone(),
            more: self.next.iter().any(|row| self.setup.is_small(row.bytes)),
        };
        self.tasks.spawn(async move {
            let result = job.run().await;
            Ended::Upload(Box::new(job), result)
        });
    }
}

/// Waits, or until the database was written to.
async fn news(setup: &Setup, enrolled_at: Option<DateTime<Utc>>, pause: Duration) {
    let mut left = pause;
    while !left.is_zero() {
        let step = left.min(LOOK_EVERY);
        tokio::time::sleep(step).await;
        left -= step;
        (setup.beat)();
        if is_written(setup, enrolled_at) {
            return;
        }
    }
}

/// Whether the database was written to since the rows were brought up to date.
fn is_written(setup: &Setup, enrolled_at: Option<DateTime<Utc>>) -> bool {
    match (setup.store.written_at(), enrolled_at) {
        (Some(written), Some(enrolled)) => written + COARSE >= enrolled,
        _ => true,
    }
}
