//! The copies of the service, and those of a single run: a copier for each configured target, created again at each
//! reload; and the files that leave the disk because of copies.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::retry::wait_to_retry;
use super::{App, Beat, Targets};
use crate::copies::{Copier, Setup};
use crate::offsite::EvictError;
use crate::store;

/// How often files are looked for that may go.
const EVICT: Duration = Duration::from_hours(1);

/// Copies to the configured targets until the stop.
pub(super) async fn run(
    app: Arc<App>,
    mut targets: watch::Receiver<Arc<Targets>>,
    beat: Beat,
) -> Result<()> {
    while !app.stop.is_cancelled() {
        let now = targets.borrow_and_update().clone();
        let stop = app.stop.child_token();
        if let Err(error) = note_unusable(&app, &now).await {
            wait_to_retry(&app, None, error).await?;
            targets.mark_changed();
            continue;
        }
        let mut running = JoinSet::new();
        for copier in copiers(&app, &now, &stop, &beat) {
            running.spawn(copy(app.clone(), copier));
        }
        tokio::select! {
            () = app.stop.cancelled() => {}
            changed = targets.changed() => {
                // The service holds the other end until its stop.
                if changed.is_err() {
                    app.stop.cancelled().await;
                }
            }
            Some(ended) = running.join_next() => ended_well(ended)?,
        }
        stop.cancel();
        while let Some(ended) = running.join_next().await {
            ended_well(ended)?;
        }
    }
    Ok(())
}

fn ended_well(ended: Result<store::Result<()>, tokio::task::JoinError>) -> store::Result<()> {
    match ended {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Ok(()),
    }
}

/// Runs a copier, again after each failure of the database that may pass.
async fn copy(app: Arc<App>, mut copier: Copier) -> store::Result<()> {
    while let Err(error) = copier.run().await {
        if !wait_to_retry(&app, None, error).await? {
            break;
        }
    }
    Ok(())
}

/// Removes files that may go, until the service stops.
pub(super) async fn evict(app: Arc<App>, mut targets: watch::Receiver<Arc<Targets>>) -> Result<()> {
    while !app.stop.is_cancelled() {
        let now = targets.borrow_and_update().clone();
        app.tolerate(app.evict(&now).await)?;
        let rest = app.stop.run_until_cancelled(tokio::time::sleep(EVICT));
        tokio::select! {
            _ = rest => {}
            changed = targets.changed() => if changed.is_err() { break },
        }
    }
    Ok(())
}

impl App {
    /// Copies what is to be copied now, and removes files that may go. Returns how many copies were made.
    ///
    /// # Errors
    /// The database's.
    pub async fn copy_due(&self, targets: &Targets, beat: &Beat) -> store::Result<u64> {
        for (name, error) in targets.unusable() {
            // Often the service alone has the access key.
            tracing::warn!(
                copies.target = name,
                "copies are left to the service: {error}"
            );
        }
        let copiers = copiers(self, targets, &self.stop, beat);
        let drains = copiers
            .into_iter()
            .map(|mut copier| async move { copier.drain().await });
        let mut copied = 0;
        for drained in futures::future::join_all(drains).await {
            copied += drained?;
        }
        self.evict(targets).await?;
        Ok(copied)
    }

    /// Removes files that may go.
    async fn evict(&self, targets: &Targets) -> store::Result<()> {
        match self.evictor(targets).run().await {
            Err(EvictError::Store(error)) => Err(error),
            Err(error @ EvictError::NotThere(_)) => {
                tracing::error!("could not remove files that have copies: {error}");
                Ok(())
            }
            Ok(evicted) => {
                if !evicted.gone.is_empty() {
                    self.wake.wake();
                }
                Ok(())
            }
        }
    }
}

/// Says which object stores can't be used, and which are no longer configured.
async fn note_unusable(app: &App, targets: &Targets) -> store::Result<()> {
    for row in app.store.copy_targets().await? {
        if !row.configured {
            tracing::warn!(
                copies.target = row.name,
                "copies.{} is no longer in the configuration: nothing more is copied to '{}', and its copies are not verified",
                row.name,
                row.url
            );
        }
    }
    let now = app.clock.now();
    for one in &targets.all {
        if let Err(error) = &one.client {
            tracing::error!(copies.target = one.row.name, "{error}");
            let failed = app.store.target_fails(one.row.id, Some((error, true)), now);
            failed.await?;
        }
    }
    Ok(())
}

fn copiers(app: &App, targets: &Targets, stop: &CancellationToken, beat: &Beat) -> Vec<Copier> {
    let config = &targets.config;
    let copiers = targets.all.iter().filter_map(|one| {
        let section = config.copies.get(&one.row.name)?;
        Some(Copier::new(Setup {
            name: one.row.name.clone(),
            id: one.row.id,
            target: one.client.as_ref().ok()?.clone(),
            project_id: config.signalwire.project_id.clone(),
            store: app.store.clone(),
            root: app.root.clone(),
            clock: app.clock.clone(),
            stop: stop.clone(),
            cooldowns: app.cooldowns.clone(),
            concurrency: section.concurrency,
            part_bytes: section.part_size.0,
            backoff: (config.download.retry_initial, config.download.retry_max),
            verify_schedule: config.verify.schedule.clone(),
            verify_bytes: section.verify_bytes_per_run.0,
            beat: beat.clone(),
        }))
    });
    copiers.collect()
}
