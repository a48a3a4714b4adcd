//! Serves `/metrics` and `/healthz`. A port that is in use does not keep the service from archiving.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::App;
use super::report::Reporter;
use crate::config::Config;
use crate::human;
use crate::lifecycle::Lifecycle;
use crate::store;
use crate::telemetry::http::{ListenError, Server};

/// Before it is tried again to listen on a port that was in use.
const AGAIN: Duration = Duration::from_secs(10);

/// Starts to serve, if that is configured; as soon as the port is free.
///
/// # Errors
/// A failure of the database that does not pass.
pub(super) async fn start(
    app: &Arc<App>,
    lifecycle: &Lifecycle,
    config: &Config,
    reporter: &Reporter,
) -> Result<()> {
    // What the last instance noted.
    app.tolerate(app.store.note_telemetry(None).await)?;
    let Some(listen) = config.telemetry.listen.clone() else {
        return Ok(());
    };
    let (metrics, health) = (reporter.metrics.clone(), reporter.health.clone());
    // The usual case: it listens before the service says that it is ready.
    let first = Server::bind(listen.addresses()).await;
    let app = app.clone();
    lifecycle.spawn_critical("telemetry", async move {
        if let Some(server) = until_bound(&app, listen.addresses(), first).await? {
            tracing::info!(address = %server.address()?, "serving /metrics and /healthz");
            server.serve(metrics, health, app.stop.clone()).await?;
        }
        anyhow::Ok(())
    });
    Ok(())
}

/// Tries until it listens; `None`: the process stops. Health, which other processes judge too, hears of a failure.
async fn until_bound(
    app: &App,
    addresses: &[SocketAddr],
    mut bound: Result<Server, ListenError>,
) -> store::Result<Option<Server>> {
    let mut failed = false;
    loop {
        match bound {
            Ok(server) => {
                if failed {
                    app.tolerate(app.store.note_telemetry(None).await)?;
                }
                return Ok(Some(server));
            }
            Err(error) if !failed => {
                failed = true;
                let text = human::chain(&error);
                let again = human::duration(AGAIN);
                tracing::error!("{text}; archiving goes on, and this is tried again every {again}");
                let noted = app.store.note_telemetry(Some((app.clock.now(), &text)));
                app.tolerate(noted.await)?;
            }
            Err(_) => {}
        }
        let wait = tokio::time::sleep(AGAIN);
        if app.stop.run_until_cancelled(wait).await.is_none() {
            return Ok(None);
        }
        bound = Server::bind(addresses).await;
    }
}
