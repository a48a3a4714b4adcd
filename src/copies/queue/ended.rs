//! What follows the end of an upload, of a look for what was uploaded, of sidecars, of upkeep.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Copier, Ended};
use crate::copies::confirm::{AT_ONCE, Confirmed, confirm, note};
use crate::copies::failed::Failed;
use crate::copies::job::{Job, Placed};
use crate::copies::{StoreError, Trouble};
use crate::store::{self, CopyRow};

/// How long an upload waits for others that are confirmed with it.
const CONFIRM_AFTER: Duration = Duration::from_secs(5);

impl Copier {
    pub(super) async fn ended(&mut self, ended: Ended) -> store::Result<()> {
        match ended {
            Ended::Upload(job, result) => {
                self.used -= self.setup.permits(job.row.bytes);
                self.uploaded(*job, result).await
            }
            Ended::Confirmed(confirmed) => {
                self.confirming = false;
                self.confirmed(confirmed?).await
            }
            Ended::Sidecars(updated) => {
                let updated = updated?;
                self.sidecars.end(&updated, self.setup.clock.monotonic());
                self.answered(updated.written, updated.failed).await
            }
            Ended::Upkeep(done) => {
                let (done, now) = (done?, self.setup.clock.monotonic());
                // If the target fails, it is tried again as for copies.
                let own = |error: &StoreError| !error.trouble.concerns_target();
                self.upkeep.end(done.failed.as_ref().is_some_and(own), now);
                if done.verified {
                    // Sidecars may have been found that are not as they should be.
                    self.sidecars.may_be_due(now);
                }
                let works = done.verified || done.sought;
                self.answered(works, done.failed).await
            }
        }
    }

    async fn uploaded(&mut self, job: Job, result: Result<Placed, Failed>) -> store::Result<()> {
        if job.progressed.load(Ordering::Relaxed) {
            self.target_works().await?;
        }
        match result {
            Ok(placed) if placed.unseen.is_none() => {
                self.target_works().await?;
                let ended = note(&self.setup, vec![(job, placed)]).await?;
                self.copies_ended(ended).await
            }
            Ok(placed) => {
                if self.placed.is_empty() {
                    self.placed_at = self.setup.clock.monotonic();
                }
                self.placed.push((job, placed));
                Ok(())
            }
            Err(failed) => self.copies_ended(vec![(job, Err(failed))]).await,
        }
    }

    /// Looks for what was uploaded and not seen: for many at once, but at once if there is nothing to wait for.
    pub(super) fn confirm(&mut self) {
        if self.placed.is_empty() || self.confirming {
            return;
        }
        let waited = self.setup.clock.monotonic() >= self.placed_at + CONFIRM_AFTER;
        if waited || self.used == 0 || self.placed.len() >= AT_ONCE {
            let (setup, placed) = (self.setup.clone(), std::mem::take(&mut self.placed));
            self.confirming = true;
            let confirm = async move { Ended::Confirmed(confirm(&setup, placed).await) };
            self.tasks.spawn(confirm);
        }
    }

    async fn confirmed(&mut self, confirmed: Confirmed) -> store::Result<()> {
        let works = confirmed.ended.iter().any(|(_, result)| result.is_ok());
        self.placed.extend(confirmed.left);
        self.copies_ended(confirmed.ended).await?;
        self.answered(works, confirmed.failed).await
    }

    async fn copies_ended(&mut self, ended: Vec<(Job, Result<(), Failed>)>) -> store::Result<()> {
        for (job, result) in ended {
            let row = &job.row;
            self.busy.remove(&row.recording);
            match result {
                Ok(()) => {
                    self.copied += 1;
                    self.sidecars.may_be_due(self.setup.clock.monotonic());
                    tracing::info!(recording.id = %row.id, copies.target = self.setup.name, size_bytes = row.bytes, "copied");
                }
                Err(failed) => self.failed(&job, failed).await?,
            }
        }
        Ok(())
    }

    /// Takes over how the target answered: as it should, or not.
    async fn answered(&mut self, works: bool, failed: Option<StoreError>) -> store::Result<()> {
        match failed {
            Some(error) => self.target_failed(&error).await,
            None if works => self.target_works().await,
            None => Ok(()),
        }
    }

    async fn failed(&mut self, job: &Job, failed: Failed) -> store::Result<()> {
        let (row, setup) = (&job.row, self.setup.clone());
        let (recording, id) = (row.recording, row.id);
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

    async fn target_failed(&mut self, error: &StoreError) -> store::Result<()> {
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
}
