//! Failures of the database that may pass.

use std::time::Duration;

use super::App;
use crate::lifecycle::Pulse;
use crate::store;

/// After a failure of the database that may pass, a task tries again so much later.
const AGAIN: Duration = Duration::from_secs(5);

/// After a failure of the database: waits until it is worth trying again. Returns whether it is; else the process
/// is to stop.
pub(super) async fn wait_to_retry(
    app: &App,
    pulse: Option<&Pulse>,
    error: store::Error,
) -> store::Result<bool> {
    app.tolerate(Err(error))?;
    let wait = tokio::time::sleep(AGAIN);
    let wait = app.stop.run_until_cancelled(wait);
    let waited = match pulse {
        Some(pulse) => pulse.rest(wait).await,
        None => wait.await,
    };
    Ok(waited.is_some())
}
