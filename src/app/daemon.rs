//! The service: passes on their schedules, downloads all the time, reloads, and an end in order.

mod changes;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use chrono::TimeDelta;
use tokio::sync::{Mutex, watch};

use changes::{another_archive, needs_restart};

use super::logging::{init_logs, level};
use super::report::{Passes, Reporter};
use super::retry::wait_to_retry;
use super::{App, Beat, Targets, ping, reload, sidecars, telemetry};
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::download::{Downloader, Pause, Setup, Until};
use crate::lifecycle::{self, End, Lifecycle, Pulse, Signals, Systemd};
use crate::notify::Endpoint;
use crate::owner::refuse_foreign;
use crate::poll::Poller;
use crate::reconcile::{self, NotTheArchive};
use crate::schedule::{Each, Scheduler, Ticks};
use crate::sidecar::Keeper;
use crate::store::{self, PassKind, PassOutcome, PauseKind};
use crate::telemetry::logs::Logs;
use crate::telemetry::metrics::Metrics;
use crate::verify::{Findings, Scope, VerifyError};
use crate::version::VERSION;

/// Passes and events are kept for this long.
const KEPT: TimeDelta = TimeDelta::days(90);

/// Runs the service until it is stopped.
///
/// # Errors
/// What keeps it from starting.
pub async fn run(file: Option<&Path>, env: &Environment) -> Result<End> {
    let signals = Signals::install().context("could not listen for signals")?;
    let config = Config::load(file, env)?;
    let clock = Clock::system();
    let logs = init_logs(&config, &clock)?;
    // Before the token is read: perhaps only the other user can read it.
    refuse_foreign(&config.database.path, &config.archive.directory, None)?;
    let token = super::token(&config, env)?;
    let webhooks = super::webhooks::endpoints(&config, env)?;
    let lifecycle = Lifecycle::new(clock.clone(), Systemd::from_env());
    let app = Arc::new(App::open(&config, clock.clone(), lifecycle.stop()).await?);
    let service = Service::start(&app, &lifecycle, &config, token, webhooks, env).await?;
    tracing::info!(version = VERSION, "started");
    let loader = Loader {
        file: file.map(Path::to_owned),
        env,
    };
    let current = Mutex::new(config);
    let end = lifecycle
        .run(signals, lifecycle::GRACE, || async {
            let mut current = current.lock().await;
            let reloaded = loader.reload(&mut current, &app, &service, &logs).await;
            let at = reloaded.is_ok().then(|| app.clock.now());
            service.metrics.note_reload(at);
            if let Err(error) = &reloaded {
                tracing::error!("the configuration was not reloaded, the old one stays: {error:#}");
            }
            reload::note(&app, reloaded.as_ref().err()).await;
            reloaded
        })
        .await;
    drop(service);
    match (end, Arc::try_unwrap(app)) {
        (End::Stopped, Ok(app)) => app.close().await?,
        // The next start is to look at everything closely.
        (End::Failed, Ok(app)) => app.store.close().await,
        (End::Stopped | End::Failed, Err(_)) => {
            tracing::warn!("the database is still in use and was not closed in order");
        }
        _ => {}
    }
    tracing::info!("stopped");
    Ok(end)
}

/// The running parts, as far as a reload reaches them.
struct Service {
    setup: watch::Sender<Arc<Setup>>,
    poller: watch::Sender<Arc<Poller>>,
    verify_budget: watch::Sender<u64>,
    keeper: watch::Sender<Option<Keeper>>,
    webhooks: watch::Sender<Vec<Arc<Endpoint>>>,
    targets: watch::Sender<Arc<Targets>>,
    scheduler: Scheduler,
    metrics: Metrics,
    ping: watch::Sender<ping::Target>,
    download_beat: Beat,
    poll_beat: Beat,
}

impl Service {
    async fn start(
        app: &Arc<App>,
        lifecycle: &Lifecycle,
        config: &Config,
        token: crate::model::ApiToken,
        webhooks: Vec<Arc<Endpoint>>,
        env: &Environment,
    ) -> Result<Self> {
        let client = app.client(config, token)?;
        let (poll_pulse, poll_beat) = beating(lifecycle.pulse("discovery"));
        let (download_pulse, download_beat) = beating(lifecycle.pulse("downloads"));
        let poller = app.poller(config, client.clone(), poll_beat.clone());
        app.apply_config(config, &poller).await?;
        let targets = app.targets(config, env).await?;
        let mut setup = app.setup(config, client, download_beat.clone())?;
        setup.fetcher = app.fetcher(&targets);
        let (setup, setups) = watch::channel(Arc::new(setup));
        let (poller, pollers) = watch::channel(Arc::new(poller));
        let (verify_budget, budgets) = watch::channel(config.verify.bytes_per_run.0);
        let downloader = Downloader::new(setups, app.wake.clone(), app.stop.clone());
        let reporter = Reporter::new(app, lifecycle);
        telemetry::start(app, lifecycle, config, &reporter).await?;
        let swept = app.store.last_complete(PassKind::Sweep).await?;
        let verified = app.store.last_complete(PassKind::Verify).await?;
        // A new archive is swept before it is polled: a thousand recordings a request instead of one session.
        let first = match swept {
            None => PassKind::Sweep,
            Some(_) => PassKind::Poll,
        };
        // The first pass runs without a tick; a sweep or a verification that was missed is due at once.
        let now = app.clock.now();
        let last = Each {
            poll: now,
            sweep: swept.unwrap_or(now),
            verify: verified.unwrap_or(now),
        };
        let scheduler = Scheduler::new(
            super::schedules(config, &app.store).await?,
            last,
            app.clock.clone(),
        );
        let ticks = scheduler.ticks();
        let passes = reporter.passes();
        let ping = ping::start(app, lifecycle, config, passes.ended.clone())?;
        let verifying = verify(app.clone(), ticks.verify.clone(), budgets, passes.clone());
        let ticking = scheduler.clone();
        let (stop, pulse) = (app.stop.clone(), lifecycle.pulse("schedules"));
        lifecycle.spawn_critical("schedules", async move { ticking.run(stop, pulse).await });
        lifecycle.spawn_critical(
            "discovery",
            discover(
                app.clone(),
                pollers,
                ticks.clone(),
                downloader.clone(),
                passes,
                poll_pulse,
                first,
            ),
        );
        let (downloading, beat) = (app.clone(), download_beat.clone());
        lifecycle.spawn_critical("downloads", async move {
            while let Err(error) = downloading.compare_if_needed(&beat).await {
                let NotTheArchive::Store(error) = error else {
                    return Err(error.into());
                };
                if !wait_to_retry(&downloading, Some(&download_pulse), error).await? {
                    return Ok(());
                }
            }
            downloader.run(Until::Stopped).await?;
            Ok::<_, anyhow::Error>(())
        });
        lifecycle.spawn_critical("verification", verifying);
        let metrics = reporter.metrics.clone();
        let (targets, receiver) = watch::channel(Arc::new(targets));
        let evicting = super::copies::evict(app.clone(), receiver.clone());
        lifecycle.spawn_critical("eviction", evicting);
        let copying = super::copies::run(app.clone(), receiver, download_beat.clone());
        lifecycle.spawn_critical("copies", copying);
        lifecycle.spawn_critical("reports", reporter.run());
        let (keeper, keepers) = watch::channel(app.keeper(config));
        lifecycle.spawn_critical("sidecars", sidecars::keep(app.clone(), keepers));
        let (webhooks, receiver) = watch::channel(webhooks);
        lifecycle.spawn_critical("webhooks", app.notifier().run(receiver));
        Ok(Self {
            setup,
            poller,
            verify_budget,
            keeper,
            webhooks,
            targets,
            scheduler,
            metrics,
            ping,
            download_beat,
            poll_beat,
        })
    }
}

/// A pulse shared by a task and by the beats handed to its parts.
fn beating(pulse: Pulse) -> (Arc<Pulse>, Beat) {
    let pulse = Arc::new(pulse);
    // Weak: the pulse ends with its task, whatever still holds a beat.
    let weak = Arc::downgrade(&pulse);
    let beat: Beat = Arc::new(move || {
        if let Some(pulse) = weak.upgrade() {
            pulse.beat();
        }
    });
    (pulse, beat)
}

/// Runs a pass for each tick, one at a time: ticks during a pass are one more pass after it.
async fn discover(
    app: Arc<App>,
    pollers: watch::Receiver<Arc<Poller>>,
    ticks: Each<Ticks>,
    downloader: Downloader,
    passes: Passes,
    pulse: Arc<Pulse>,
    mut kind: PassKind,
) -> Result<()> {
    let mut failing = false;
    while !app.stop.is_cancelled() {
        let poller = pollers.borrow().clone();
        let (began, began_at) = (app.clock.monotonic(), app.clock.now());
        let report = match kind {
            PassKind::Sweep => poller.sweep().await,
            _ => poller.poll().await,
        };
        let report = match report {
            Ok(report) => report,
            Err(error) => {
                wait_to_retry(&app, Some(&pulse), error).await?;
                if !std::mem::replace(&mut failing, true) {
                    passes.ended.notify_one();
                }
                continue;
            }
        };
        failing = false;
        passes.note(kind, &report, app.clock.monotonic().saturating_sub(began));
        // The API answered: downloads that were waiting for it by then need not wait any longer.
        let waited = |pause: Pause| pause.reason == PauseKind::Api && pause.since < began_at;
        if report.error.is_none() && downloader.paused().is_some_and(waited) {
            downloader.resume();
        }
        app.wake.wake();
        if let PassKind::Sweep = kind {
            app.tolerate(tidy(&app).await)?;
        }
        let next = async {
            tokio::select! {
                biased;
                () = ticks.sweep.next() => PassKind::Sweep,
                () = ticks.poll.next() => PassKind::Poll,
            }
        };
        match app.stop.run_until_cancelled(pulse.rest(next)).await {
            Some(next) => kind = next,
            None => break,
        }
    }
    Ok(())
}

/// Verifies for each tick; looks after the database each time.
async fn verify(
    app: Arc<App>,
    ticks: Ticks,
    budgets: watch::Receiver<u64>,
    passes: Passes,
) -> Result<()> {
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            () = ticks.next() => {}
        }
        let verifier = app.verifier(Arc::new(|_| {}));
        let scope = Scope::Budget(*budgets.borrow());
        let began = app.clock.monotonic();
        let ended = verifier.run(&scope).await;
        let took = app.clock.monotonic().saturating_sub(began);
        match ended {
            Ok(findings) => {
                let outcome = if app.stop.is_cancelled() {
                    PassOutcome::Stopped
                } else {
                    PassOutcome::Complete
                };
                passes.note_verification(outcome, &findings, took);
            }
            Err(error @ VerifyError::NotThere(_)) => {
                tracing::error!("could not verify archived files: {error}");
                passes.note_verification(PassOutcome::Failed, &Findings::default(), took);
            }
            Err(VerifyError::Store(error)) => {
                if !wait_to_retry(&app, None, error).await? {
                    return Ok(());
                }
                ticks.notify();
                continue;
            }
        }
        app.wake.wake();
        app.tolerate(reconcile::clear_parts(&app.root, &app.store).await)?;
        app.tolerate(tidy(&app).await)?;
    }
}

/// Forgets what is old, and moves what a pass wrote into the database: a sweep may have filled the log with a
/// million rows.
async fn tidy(app: &App) -> store::Result<()> {
    let before = app.clock.now() - KEPT;
    app.store.prune_events(before).await?;
    app.store.prune_passes(before).await?;
    app.store.maintain().await
}

struct Loader<'a> {
    file: Option<PathBuf>,
    env: &'a Environment,
}

impl Loader<'_> {
    /// Reads the configuration again and applies what can be applied to a running service. Transfers under
    /// way keep what they began with.
    async fn reload(
        &self,
        current: &mut Config,
        app: &App,
        service: &Service,
        logs: &Logs,
    ) -> Result<()> {
        let new = Config::load(self.file.as_deref(), self.env)?;
        let token = super::token(&new, self.env)?;
        let another = another_archive(current, &new)?;
        if !another.is_empty() {
            return Err(anyhow!(
                "{another} can't change while the service runs: restart it"
            ));
        }
        let later = needs_restart(current, &new);
        let client = app.client(&new, token)?;
        let poller = app.poller(&new, client.clone(), service.poll_beat.clone());
        let mut setup = app.setup(&new, client, service.download_beat.clone())?;
        let ping = ping::target(&new)?;
        let webhooks = super::webhooks::endpoints(&new, self.env)?;
        logs.set_level(level(new.log.level))?;
        app.apply_config(&new, &poller).await?;
        let targets = app.targets(&new, self.env).await?;
        setup.fetcher = app.fetcher(&targets);
        service.poller.send_replace(Arc::new(poller));
        service.setup.send_replace(Arc::new(setup));
        service.ping.send_replace(ping);
        service
            .verify_budget
            .send_replace(new.verify.bytes_per_run.0);
        service.keeper.send_replace(app.keeper(&new));
        service.webhooks.send_replace(webhooks);
        service
            .scheduler
            .replace(super::schedules(&new, &app.store).await?);
        service.targets.send_replace(Arc::new(targets));
        app.wake.wake();
        if later.is_empty() {
            tracing::info!("the configuration was reloaded");
        } else {
            tracing::warn!("the configuration was reloaded; {later} needs a restart to change");
        }
        *current = new;
        Ok(())
    }
}
