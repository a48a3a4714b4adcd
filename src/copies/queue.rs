//! The copies to one target: which recording is next, and what follows its success or failure.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::breaker::Breaker;
use super::failed::Failed;
use super::job::Job;
use super::setup::Setup;
use super::upload::abort_abandoned;
use super::{Trouble, sidecar, strays, verify};
use crate::schedule::slot_passed;
use crate::store::{self, CopyRow};

/// How often it is looked whether the database was written to.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often without that: what was put off may be due.
const IDLE: Duration = Duration::from_secs(30);
/// Times of files are coarse: what was written so shortly before a look may have come after it.
const COARSE: TimeDelta = TimeDelta::seconds(2);
/// After a failure, sidecars are tried again so much later.
const SIDECARS_AGAIN: Duration = Duration::from_mins(1);
/// The longest that [`Copier::drain`] waits for a copy that was put off.
const LONGEST_DRAIN: Duration = Duration::from_mins(1);
/// How often uploads to be aborted are looked for.
const TIDY_EVERY: Duration = Duration::from_mins(10);

/// Copies recordings to one target.
pub struct Copier {
    setup: Arc<Setup>,
    breaker: Breaker,
    permits: Arc<Semaphore>,
    jobs: JoinSet<(Job, Result<(), Failed>)>,
    busy: HashSet<i64>,
    /// When the rows were last brought up to date.
    enrolled_at: Option<DateTime<Utc>>,
    /// When they may be brought up to date again (monotonic).
    enrol_at: Duration,
    /// When uploads to be aborted are looked for next (monotonic).
    tidy_at: Duration,
    /// When sidecars may be due (monotonic); `None`: nothing was written since they were looked for.
    sidecars_at: Option<Duration>,
    /// Where the look for them goes on.
    sidecars_after: i64,
    /// Whether the database has it that the target fails.
    noted: bool,
}

impl Copier {
    /// Copies to one target.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(setup.concurrency)),
            setup: Arc::new(setup),
            breaker: Breaker::default(),
            jobs: JoinSet::new(),
            busy: HashSet::new(),
            enrolled_at: None,
            enrol_at: Duration::ZERO,
            tidy_at: Duration::ZERO,
            sidecars_at: None,
            sidecars_after: 0,
            noted: false,
        }
    }

    /// Copies what is to be copied until the stop. What is under way then goes on at the next start.
    ///
    /// # Errors
    /// The database's. The copier can be run again.
    pub async fn run(&mut self) -> store::Result<()> {
        self.work_until(false).await
    }

    /// Copies what is to be copied now, with retries that are due soon. It ends early if the target fails.
    ///
    /// # Errors
    /// The database's.
    pub async fn drain(&mut self) -> store::Result<()> {
        self.work_until(true).await
    }

    async fn work_until(&mut self, drained: bool) -> store::Result<()> {
        let stop = self.setup.stop.clone();
        let ended = stop.run_until_cancelled(self.work(drained)).await;
        self.jobs.shutdown().await;
        self.busy.clear();
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
                self.look_after().await?;
                self.start().await?;
            }
            self.store_cooldowns().await?;
            let pause = match (wait.is_zero(), self.jobs.is_empty()) {
                (false, _) => wait.min(IDLE),
                (true, false) => IDLE,
                (true, true) => self.until_due().await?.map_or(IDLE, |wait| wait.min(IDLE)),
            };
            if drained && self.jobs.is_empty() && self.is_drained().await? {
                return Ok(());
            }
            let pause = if self.sidecars_at.is_some() {
                pause.min(LOOK_EVERY)
            } else {
                pause
            };
            tokio::select! {
                Some(ended) = self.jobs.join_next() => match ended {
                    Ok((job, result)) => self.ended(&job, result).await?,
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Err(_) => {}
                },
                () = news(&self.setup, self.enrolled_at, pause) => {}
            }
        }
    }

    /// Brings the rows up to date if something was written.
    async fn enrol(&mut self) -> store::Result<()> {
        let monotonic = self.setup.clock.monotonic();
        if !is_written(&self.setup, self.enrolled_at) || monotonic < self.enrol_at {
            return Ok(());
        }
        self.enrol_at = monotonic + LOOK_EVERY;
        let now = self.setup.clock.now();
        while self.setup.store.enrol_copies(self.setup.id, now).await? {
            (self.setup.beat)();
        }
        self.enrolled_at = Some(now);
        self.sidecars_at = self.sidecars_at.or(Some(monotonic));
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
        let sidecars = self
            .sidecars_at
            .is_some_and(|at| at <= self.setup.clock.monotonic());
        Ok(!sidecars && soon.is_none_or(|wait| wait > LONGEST_DRAIN))
    }

    /// For how long nothing is sent to the target.
    fn wait_for_target(&self) -> Duration {
        let cools = self
            .setup
            .target
            .cools_until()
            .map_or(Duration::ZERO, |until| {
                (until - self.setup.clock.now())
                    .to_std()
                    .unwrap_or_default()
            });
        cools.max(self.breaker.wait(self.setup.clock.monotonic()))
    }

    /// Aborts what is of no more use, looks for strays, verifies: each in its time; uploads under way go on.
    async fn look_after(&mut self) -> store::Result<()> {
        if self.breaker.is_failing() {
            return Ok(());
        }
        let setup = &self.setup;
        let (now, monotonic) = (setup.clock.now(), setup.clock.monotonic());
        if monotonic >= self.tidy_at {
            abort_abandoned(setup).await?;
            self.tidy_at = monotonic + TIDY_EVERY;
        }
        let mut rows = setup.store.copy_targets().await?.into_iter();
        let Some(row) = rows.find(|row| row.id == setup.id) else {
            return Ok(());
        };
        let mut failed = None;
        if strays::are_due(row.strays_at, now) {
            failed = strays::abort(setup).await?;
        }
        let last = row.verified_at.unwrap_or(row.added_at);
        if failed.is_none() && slot_passed(&setup.verify_schedule, last, now) {
            failed = verify::run(setup).await?;
            // It may have found sidecars that are not as they should be.
            self.sidecars_at = self.sidecars_at.or(Some(monotonic));
        }
        if failed.is_none() && self.sidecars_at.is_some_and(|at| monotonic >= at) {
            let updated = sidecar::update(setup, &mut self.sidecars_after).await?;
            self.sidecars_at = match (&updated.failed, updated.more) {
                (Some(_), _) => Some(monotonic + SIDECARS_AGAIN),
                (None, true) => Some(monotonic),
                (None, false) => None,
            };
            failed = updated.failed;
        }
        if let Some(error) = failed {
            self.target_failed(&error).await?;
        }
        Ok(())
    }

    /// Starts as many copies as may be under way: one, if the target fails.
    async fn start(&mut self) -> store::Result<()> {
        let most = if self.breaker.is_failing() {
            1
        } else {
            self.setup.concurrency
        };
        let free = most.saturating_sub(self.jobs.len());
        if free == 0 || !self.breaker.wait(self.setup.clock.monotonic()).is_zero() {
            return Ok(());
        }
        let now = self.setup.clock.now();
        let due = self
            .setup
            .store
            .due_copies(self.setup.id, free + self.busy.len(), now);
        let due = due.await?;
        let new = due
            .into_iter()
            .filter(|row| !self.busy.contains(&row.recording));
        for row in new.take(free).collect::<Vec<_>>() {
            self.busy.insert(row.recording);
            let job = Job {
                setup: self.setup.clone(),
                row,
                permits: self.permits.clone(),
                progressed: Arc::default(),
            };
            self.jobs.spawn(async move {
                let result = job.run().await;
                (job, result)
            });
        }
        Ok(())
    }

    /// How long it is until a copy is due that was put off; `None`: none was.
    async fn until_due(&self) -> store::Result<Option<Duration>> {
        let next = self.setup.store.next_copy_due(self.setup.id).await?;
        let wait = next.map(|next| (next - self.setup.clock.now()).to_std().unwrap_or_default());
        Ok(wait.map(|wait| wait.max(Duration::from_millis(20))))
    }

    async fn ended(&mut self, job: &Job, result: Result<(), Failed>) -> store::Result<()> {
        let (row, setup) = (&job.row, self.setup.clone());
        let (recording, id) = (row.recording, row.id);
        self.busy.remove(&recording);
        if job.progressed.load(Ordering::Relaxed) {
            self.target_works().await?;
        }
        let failed = match result {
            Ok(()) => {
                tracing::info!(recording.id = %id, copies.target = setup.name, size_bytes = row.bytes, "copied");
                return self.target_works().await;
            }
            Err(failed) => failed,
        };
        let Some(failure) = job.failure(&failed) else {
            let Failed::Store(error) = failed else {
                return Ok(());
            };
            return Err(error);
        };
        if failure.event {
            tracing::error!(recording.id = %id, copies.target = setup.name, "{}", failure.error);
        } else {
            tracing::warn!(recording.id = %id, copies.target = setup.name, "not copied: {}", failure.error);
        }
        let now = setup.clock.now();
        let noted = setup
            .store
            .copy_failed(setup.id, (recording, id), &failure, now);
        noted.await?;
        match &failed {
            Failed::Damaged(how) => self.damaged(&job.row, how).await,
            Failed::Target(error) => self.target_failed(error).await,
            _ => Ok(()),
        }
    }

    /// The local file is not what was archived: it is downloaded again.
    async fn damaged(&self, row: &CopyRow, how: &'static str) -> store::Result<()> {
        let (root, setup) = (self.setup.root.clone(), &self.setup);
        let there = tokio::task::spawn_blocking(move || root.check_there().is_ok()).await;
        if there.unwrap_or(false) {
            setup
                .store
                .verified(row.id, Some(how), setup.clock.now())
                .await?;
        }
        Ok(())
    }

    async fn target_failed(&mut self, error: &super::StoreError) -> store::Result<()> {
        self.breaker
            .failed(error.trouble, self.setup.clock.monotonic());
        if self.breaker.is_failing() {
            let (store, now) = (&self.setup.store, self.setup.clock.now());
            let text = error.to_string();
            let needs_help = matches!(
                error.trouble,
                Trouble::Refused | Trouble::Skewed | Trouble::NoBucket | Trouble::Full
            );
            let failed = store.target_fails(self.setup.id, Some((&text, needs_help)), now);
            failed.await?;
            self.noted = true;
        }
        Ok(())
    }

    async fn target_works(&mut self) -> store::Result<()> {
        let (store, id) = (&self.setup.store, self.setup.id);
        if self.breaker.works() {
            tracing::info!(
                copies.target = self.setup.name,
                "the object store works again"
            );
            store.copies_go_on(id).await?;
        }
        if self.noted {
            store.target_fails(id, None, self.setup.clock.now()).await?;
            self.noted = false;
        }
        Ok(())
    }

    async fn store_cooldowns(&self) -> store::Result<()> {
        match self.setup.cooldowns.take_changed(self.setup.clock.now()) {
            Some(cooldowns) => self.setup.store.set_cooldowns(&cooldowns).await,
            None => Ok(()),
        }
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
