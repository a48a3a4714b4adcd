//! A reload that somebody waits for: `config reload`, which `systemctl reload` runs, learns here how it went.

use std::time::Duration;

use anyhow::{Result, anyhow};

use super::App;
use crate::model::time;
use crate::store::{self, Store};

/// The fact that says when the service last read its configuration again, and how that went.
const LAST_RELOAD: &str = "last_reload";
/// How often to look for the answer.
const LOOK: Duration = Duration::from_millis(50);
/// The service may be busy with the database: a reload waits for a page that is being written.
const PATIENCE: Duration = Duration::from_secs(30);

/// Notes how a reload went; nothing: it succeeded.
pub(super) async fn note(app: &App, error: Option<&anyhow::Error>) {
    let at = time::to_text(app.clock.now());
    let text = match error {
        Some(error) => format!("{at} failed: {error:#}"),
        None => format!("{at} done"),
    };
    if let Err(error) = app.store.set_fact(LAST_RELOAD, Some(&text)).await {
        tracing::debug!("could not note the reload: {error}");
    }
}

/// How reloads went so far: the answer to the next one differs from it.
pub async fn last(store: &Store) -> store::Result<Option<String>> {
    store.fact(LAST_RELOAD).await
}

/// Waits until the service has read its configuration again.
///
/// # Errors
/// The service refused the configuration, or does not answer.
pub async fn answer(store: &Store, before: Option<String>) -> Result<()> {
    let answered = async {
        loop {
            match last(store).await? {
                Some(text) if before.as_ref() != Some(&text) => return anyhow::Ok(text),
                _ => tokio::time::sleep(LOOK).await,
            }
        }
    };
    let text = tokio::time::timeout(PATIENCE, answered).await.map_err(|_| {
        anyhow!("the service did not answer within 30 s; its log says what it does: journalctl -u room-archiver")
    })??;
    match text.split_once(" failed: ") {
        Some((_, error)) => Err(anyhow!(
            "the service refused the configuration and keeps the old one: {error}"
        )),
        None => Ok(()),
    }
}
