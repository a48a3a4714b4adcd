//! The dead-man ping: after each pass, what health says goes to `telemetry.ping_url`.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use futures::FutureExt as _;
use tokio::sync::{Notify, watch};

use super::App;
use super::health::{Problem, health};
use super::tls::{NO_TLS, authorities, tls};
use crate::config::Config;
use crate::human;
use crate::lifecycle::Lifecycle;
use crate::store::Facts;
use crate::telemetry::http::Health;
use crate::telemetry::ping::Pinger;

/// Where to ping, if anywhere; a reload replaces it.
pub(super) type Target = Option<Arc<Pinger>>;

/// Starts to ping whenever a pass has ended. What is returned changes the target.
///
/// # Errors
/// Certificates that can't be used.
pub(super) fn start(
    app: &Arc<App>,
    lifecycle: &Lifecycle,
    config: &Config,
    ended: Arc<Notify>,
) -> Result<watch::Sender<Target>> {
    let (sender, targets) = watch::channel(target(config)?);
    let pinging = run(app.clone(), targets, ended);
    lifecycle.spawn_critical("pings", pinging.map(Ok::<_, Infallible>));
    Ok(sender)
}

/// What the configuration says.
///
/// # Errors
/// Certificates that can't be used.
pub(super) fn target(config: &Config) -> Result<Target> {
    let Some(url) = &config.telemetry.ping_url else {
        return Ok(None);
    };
    tls();
    let pinger = Pinger::new(url.clone(), authorities(config)?).context(NO_TLS)?;
    Ok(Some(Arc::new(pinger)))
}

/// Pings whenever a pass has ended, until the stop. A ping that does not arrive disturbs nothing else.
async fn run(app: Arc<App>, targets: watch::Receiver<Target>, ended: Arc<Notify>) {
    let mut failing = false;
    while app
        .stop
        .run_until_cancelled(ended.notified())
        .await
        .is_some()
    {
        let Some(pinger) = targets.borrow().clone() else {
            continue;
        };
        let problems = problems(&app).await;
        let Some(sent) = app.stop.run_until_cancelled(pinger.send(&problems)).await else {
            return;
        };
        match &sent {
            Ok(()) if failing => tracing::info!("pings to {} arrive again", pinger.url),
            Err(error) if !failing => {
                tracing::warn!("could not ping {}: {error}", pinger.url);
            }
            _ => {}
        }
        failing = sent.is_err();
    }
}

/// What health says now, a line for each problem.
async fn problems(app: &App) -> String {
    let now = app.clock.now();
    let facts = match app.store.health_facts(now).await {
        Ok(facts) => facts,
        Err(error) => Facts {
            database: Some((now, human::chain(&error))),
            ..Facts::default()
        },
    };
    // As in `/healthz`.
    let lines = Health::default();
    lines.set(health(&facts, now).iter().map(Problem::line).collect());
    lines.lines()
}
