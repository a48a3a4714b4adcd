//! When sidecars are written: after whatever writes to the database, and before a command ends.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::watch;

use super::App;
use crate::human;
use crate::sidecar::{Failed, Keeper};

/// What changes within this time is written in one go.
const SOON: Duration = Duration::from_secs(1);
/// After a failure, such as a full disk, it is tried again so much later.
const AGAIN: Duration = Duration::from_mins(1);

/// Writes all sidecars that are due, and says what could not be written.
///
/// # Errors
/// The database's.
pub async fn write_sidecars(keeper: Option<&Keeper>) -> Result<()> {
    let Some(keeper) = keeper else {
        return Ok(());
    };
    match keeper.catch_up().await {
        Err(Failed::Store(error)) => return Err(error.into()),
        Err(error @ Failed::NotThere(_)) => tracing::error!("could not write sidecars: {error}"),
        Ok(outcome) => {
            if let Some((path, error)) = outcome.error {
                let sidecars = human::count(outcome.failed, "sidecar");
                tracing::error!(path, "could not write {sidecars}: {error}");
            }
        }
    }
    Ok(())
}

/// Keeps the sidecars of the service up to date until it stops.
pub(super) async fn keep(
    app: Arc<App>,
    mut keepers: watch::Receiver<Option<Keeper>>,
) -> Result<()> {
    let mut last = None;
    while !app.stop.is_cancelled() {
        let keeper = keepers.borrow_and_update().clone();
        let mut pause = SOON;
        if let Some(keeper) = &keeper {
            let failed = match keeper.catch_up().await {
                Err(Failed::Store(error)) => {
                    app.tolerate(Err(error))?;
                    pause = AGAIN;
                    continue_after(&app, pause).await;
                    continue;
                }
                Err(error @ Failed::NotThere(_)) => Some((String::new(), error.to_string())),
                Ok(outcome) => outcome.error.map(|(path, error)| (path, error.to_string())),
            };
            if let Some((path, error)) = &failed {
                pause = AGAIN;
                if last != failed {
                    tracing::error!(
                        path,
                        "could not write a sidecar, and will try again: {error}"
                    );
                }
            }
            last = failed;
        }
        tokio::select! {
            () = app.stop.cancelled() => {}
            changed = keepers.changed() => {
                if changed.is_err() {
                    break;
                }
            }
            () = async { app.store.changed().await; continue_after(&app, pause).await }, if keeper.is_some() => {}
        }
    }
    Ok(())
}

async fn continue_after(app: &App, pause: Duration) {
    let wait = tokio::time::sleep(pause);
    _ = app.stop.run_until_cancelled(wait).await;
}
