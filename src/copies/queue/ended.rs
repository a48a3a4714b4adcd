//! What follows the end of an upload, of a look for what was uploaded, of sidecars.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Copier, Ended};
use crate::copies::confirm::confirm;
use crate::copies::failed::Failed;
use crate::copies::job::{Job, Placed};
use crate::copies::sidecar::Updated;
use crate::copies::{StoreError, Trouble};
use crate::store::{self, CopyRow};

/// Uploads that are confirmed together, and how long the first of them waits for the others.
const CONFIRMED_AT_ONCE: usize = 512;
const CONFIRM_AFTER: Duration = Duration::from_secs(5);

impl Copier {
    pub(super) async fn ended(&mut self, ended: Ended) -> store::Result<()> {
        match ended {
            Ended::Upload(job, result) => {
                self.used -= self.setup.permits(job.row.bytes);
                self.uploaded(*job, result).await
            }
            Ended::Confirmed(ended) => {
                self.confirming = false;
                // The first ones are, with the copies.
                self.sidecars.may_be_due(self.setup.clock.monotonic());
                for (job, result) in ended? {
                    self.busy.remove(&job.row.recording);
                    match result {
                        Ok(()) => self.copied(&job),
                        Err(failed) => self.failed(&job, failed).await?,
                    }
                }
                Ok(())
            }
            Ended::Sidecars(updated) => self.sidecars_ended(updated?).await,
        }
    }

    async fn uploaded(&mut self, job: Job, result: Result<Placed, Failed>) -> store::Result<()> {
        if result.is_ok() || job.progressed.load(Ordering::Relaxed) {
            self.target_works().await?;
        }
        match result {
            Ok(placed) => {
                if self.placed.is_empty() {
                    self.placed_at = self.setup.clock.monotonic();
                }
                self.placed.push((job, placed));
                Ok(())
            }
            Err(failed) => {
                self.busy.remove(&job.row.recording);
                self.failed(&job, failed).await
            }
        }
    }

    /// Looks for what was uploaded: for many at once, but at once if there is nothing to wait for.
    pub(super) fn confirm(&mut self) {
        if self.placed.is_empty() || self.confirming {
            return;
        }
        let waited = self.setup.clock.monotonic() >= self.placed_at + CONFIRM_AFTER;
        let seen = self
            .placed
            .iter()
            .any(|(_, placed)| placed.unseen.is_none());
        let last = self.used == 0;
        if waited || seen || last || self.placed.len() >= CONFIRMED_AT_ONCE {
            let (setup, placed) = (self.setup.clone(), std::mem::take(&mut self.placed));
            self.confirming = true;
            let confirm = async move { Ended::Confirmed(confirm(&setup, placed).await) };
            self.tasks.spawn(confirm);
        }
    }

    fn copied(&mut self, job: &Job) {
        self.copied += 1;
        tracing::info!(recording.id = %job.row.id, copies.target = self.setup.name, size_bytes = job.row.bytes, "copied");
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

    async fn sidecars_ended(&mut self, updated: Updated) -> store::Result<()> {
        self.sidecars.end(&updated, self.setup.clock.monotonic());
        match updated.failed {
            Some(error) => self.target_failed(&error).await,
            None if updated.written => self.target_works().await,
            None => Ok(()),
        }
    }

    pub(super) async fn target_failed(&mut self, error: &StoreError) -> store::Result<()> {
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

    pub(super) async fn target_works(&mut self) -> store::Result<()> {
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
