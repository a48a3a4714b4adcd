//! `web`: the read-only page.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::FutureExt as _;

use super::exit::Exit;
use crate::app::health::{Problem, health};
use crate::app::init_logs;
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::human;
use crate::instance::Instance;
use crate::lifecycle::{Lifecycle, Signals, Systemd};
use crate::store::{Access, Store};
use crate::web::{self, Activated, Judge, Options, Trust};

/// Viewers get so long to finish at a stop.
const GRACE: Duration = Duration::from_secs(5);
/// Threads that read files. More would be more memory, and no faster.
const READERS: usize = 8;

pub(super) fn run(file: Option<&Path>, env: &Environment) -> Result<Exit> {
    // Before there are other threads: it takes its variables out of the environment.
    let sockets = Activated::from_env().context("could not use the sockets that were passed")?;
    let config = Config::load(file, env)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(READERS)
        .enable_all()
        .build()?;
    runtime.block_on(serve(config, sockets))
}

async fn serve(config: Config, sockets: Activated) -> Result<Exit> {
    let signals = Signals::install().context("could not listen for signals")?;
    let clock = Clock::system();
    let _logs = init_logs(&config, &clock)?;
    let lifecycle = Lifecycle::new(clock.clone(), Systemd::from_env());
    let listen = config.web.listen;
    let listeners = sockets.or_listen(listen).await;
    let listeners =
        listeners.with_context(|| format!("could not listen on '{listen}' (web.listen)"))?;
    for listener in &listeners {
        let address = listener.shown();
        tracing::info!(address, "serving the page");
    }
    let page = options(config, clock)?;
    let stop = lifecycle.stop();
    lifecycle.spawn_critical("page", async move {
        web::serve(page, listeners, stop).await;
        Ok::<_, Infallible>(())
    });
    let end = lifecycle
        .run(signals, GRACE, async || Ok::<_, Infallible>(()))
        .await;
    end.exit()
}

fn options(config: Config, clock: Clock) -> Result<Options> {
    let header = config.web.user_header.as_deref();
    Ok(Options {
        judge: judge(config.database.path.clone(), clock.clone()),
        trust: Trust {
            hosts: config.web.hosts,
            proxies: config.web.trusted_proxies,
            user_header: header.map(str::parse).transpose()?,
        },
        database: config.database.path,
        archive: config.archive.directory,
        clock,
    })
}

/// The answer of `status`, from the same function.
fn judge(database: PathBuf, clock: Clock) -> Judge {
    Arc::new(move || {
        let (database, clock) = (database.clone(), clock.clone());
        async move {
            let store = Store::open(&database, Access::Read).await;
            let store = store.map_err(|error| human::chain(&error))?;
            let now = clock.now();
            let facts = store.health_facts(now).await;
            store.close().await;
            let mut facts = facts.map_err(|error| human::chain(&error))?;
            facts.stopped = !Instance::is_running(&database);
            Ok(health(&facts, now).iter().map(Problem::line).collect())
        }
        .boxed()
    })
}
