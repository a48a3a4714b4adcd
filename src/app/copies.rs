//! The copies of the service: a copier for each configured target, created again at each reload.

use std::sync::Arc;

use anyhow::Result;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::retry::wait_to_retry;
use super::{App, Beat};
use crate::config::{Config, CopyTarget, Environment};
use crate::copies::http::Patience;
use crate::copies::{Copier, Place, Setup, Target};
use crate::store::{self, TargetName, TargetRow};
use crate::throttle::Throttle;

/// Copies to the configured targets until the stop.
pub(super) async fn run(
    app: Arc<App>,
    mut configs: watch::Receiver<Arc<Config>>,
    env: Environment,
    beat: Beat,
) -> Result<()> {
    while !app.stop.is_cancelled() {
        let config = configs.borrow_and_update().clone();
        let stop = app.stop.child_token();
        let copiers = match copiers(&app, &config, &env, &stop, &beat).await {
            Ok(copiers) => copiers,
            Err(error) => {
                wait_to_retry(&app, None, error).await?;
                continue;
            }
        };
        let mut running = JoinSet::new();
        for copier in copiers {
            running.spawn(copy(app.clone(), copier));
        }
        tokio::select! {
            () = app.stop.cancelled() => {}
            changed = configs.changed() => {
                // The service holds the other end until its stop.
                if changed.is_err() {
                    app.stop.cancelled().await;
                }
            }
            Some(ended) = running.join_next() => match ended {
                Ok(result) => result?,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            }
        }
        stop.cancel();
        while let Some(ended) = running.join_next().await {
            match ended {
                Ok(result) => result?,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            }
        }
    }
    Ok(())
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

async fn copiers(
    app: &App,
    config: &Config,
    env: &Environment,
    stop: &CancellationToken,
    beat: &Beat,
) -> store::Result<Vec<Copier>> {
    let known = app.store.copy_targets().await?;
    if config.copies.is_empty() && known.is_empty() {
        return Ok(Vec::new());
    }
    let now = app.clock.now();
    let names = config.copies.iter().map(|(name, target)| TargetName {
        name: name.clone(),
        url: place(target).url(),
    });
    let names: Vec<_> = names.collect();
    app.store.configure_targets(&names, now).await?;
    let mut copiers = Vec::new();
    for row in app.store.copy_targets().await? {
        let Some(target) = config.copies.get(&row.name) else {
            tracing::warn!(
                copies.target = row.name,
                "copies.{} is no longer in the configuration: nothing more is copied to '{}', and its copies are not verified",
                row.name,
                row.url
            );
            continue;
        };
        match copier(app, config, env, stop, beat, &row, target) {
            Ok(copier) => copiers.push(copier),
            Err(error) => {
                tracing::error!(copies.target = row.name, "{error}");
                let failed = app.store.target_fails(row.id, Some((&error, true)), now);
                failed.await?;
            }
        }
    }
    Ok(copiers)
}

/// The copier of one target, or why there is none.
fn copier(
    app: &App,
    config: &Config,
    env: &Environment,
    stop: &CancellationToken,
    beat: &Beat,
    row: &TargetRow,
    target: &CopyTarget,
) -> Result<Copier, String> {
    let place = place(target);
    if row.url != place.url() {
        return Err(format!(
            "copies.{} names another place than its copies are in ({}): give the new place a section with a name of its own",
            row.name, row.url
        ));
    }
    let key = config.store_keys(&row.name, env);
    let key = key.map_err(|error| error.to_string())?;
    super::tls();
    let client = Target::new(
        place,
        &key,
        app.clock.clone(),
        app.cooldowns.clone(),
        Patience::default(),
        Throttle::new(target.bandwidth_limit.0, app.clock.clone()),
    );
    Ok(Copier::new(Setup {
        name: row.name.clone(),
        id: row.id,
        target: client.map_err(|error| error.to_string())?,
        store: app.store.clone(),
        root: app.root.clone(),
        clock: app.clock.clone(),
        stop: stop.clone(),
        cooldowns: app.cooldowns.clone(),
        concurrency: target.concurrency,
        part_bytes: target.part_size.0,
        backoff: (config.download.retry_initial, config.download.retry_max),
        verify_schedule: config.verify.schedule.clone(),
        verify_bytes: target.verify_bytes_per_run.0,
        beat: beat.clone(),
    }))
}

/// Where a target is.
#[must_use]
pub fn place(target: &CopyTarget) -> Place {
    // A configuration that was loaded has no mistakes in these.
    let (bucket, prefix) = target.bucket_and_prefix().unwrap_or_default();
    Place {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        endpoint: target.endpoint().unwrap_or_default(),
        region: target.region.clone(),
        path_style: target.path_style,
    }
}
