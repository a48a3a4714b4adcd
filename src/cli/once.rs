//! `once`: one pass, then downloads with their retries until nothing more can be done now.

mod outcome;
mod work;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use outcome::{Done, Outcome};
pub(super) use outcome::{rebuilt_json, rebuilt_text};
use work::Work;

use super::args::OnceArgs;
use super::exit::Exit;
use super::out;
use super::progress;
use super::runtime::block_on;
use crate::app::{self, App};
use crate::clock::Clock;
use crate::config::{Config, Environment, LogLevel, TokenSource};
use crate::cooldown::Cooldowns;
use crate::download::Downloader;
use crate::links::Links;
use crate::model::State;
use crate::owner::refuse_foreign;
use crate::poll::{Filter, Poller, Report};
use crate::store::{Access, Left, PassOutcome, Store};

/// Where the shipped unit reads the token.
const TOKEN_FILE: &str = "/etc/room-archiver/token";
/// Webhooks that are slow, or have much before them, do not keep the command from ending.
const LONGEST_NOTIFYING: Duration = Duration::from_secs(30);
/// Rows printed of the recordings that are left.
const MOST_LEFT: u32 = 20;
/// The longest rate limit (Retry-After) that a run waits for, and how many of them.
const LONGEST_WAIT: TimeDelta = TimeDelta::seconds(60);
const MOST_WAITS: u32 = 2;

pub fn run(args: &OnceArgs, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let mut config = Config::load(file, env)?;
    let clock = Clock::system();
    // Log lines would break the progress bars: on a terminal only bars are shown, and the summary names what failed.
    if out::is_quiet() {
        config.log.level = LogLevel::Error;
    }
    if out::is_quiet() || !std::io::stderr().is_terminal() {
        app::init_logs(&config, &clock)?;
    }
    block_on(async {
        if args.dry_run {
            dry(args, &config, env, clock).await
        } else {
            real(args, &config, env, clock).await
        }
    })?
}

async fn real(args: &OnceArgs, config: &Config, env: &Environment, clock: Clock) -> Result<Exit> {
    // Before the token is read: perhaps only the other user can read it.
    let token = token_file(config, env);
    let (database, archive) = (&config.database.path, &config.archive.directory);
    refuse_foreign(database, archive, token.as_deref())?;
    let token = app::token(config, env)?;
    let stop = stop_on_signals();
    let app = App::open(config, clock, stop.clone()).await?;
    let client = app.client(config, token)?;
    let beat: app::Beat = Arc::new(|| {});
    let poller = app.poller(config, client.clone(), beat.clone());
    app.apply_config(config, &poller).await?;
    let targets = app.targets(config, env).await?;
    let mut setup = app.setup(config, client, beat.clone())?;
    setup.fetcher = app.fetcher(&targets);
    let sweep = args.sweep || args.rebuild;
    let work = Arc::new(Work::new(sweep));
    let progress = work.show(&app);
    let passed = async {
        app.store.list_put_off(app.clock.now()).await?;
        let rebuilt = if args.rebuild {
            Some(app.rebuilder(config, beat.clone()).from_disk().await?)
        } else {
            None
        };
        let report = pass(&poller, sweep).await?;
        if report.outcome == PassOutcome::Refused {
            app::write_sidecars(app.keeper(config).as_ref()).await?;
            return Ok((report, Done::default(), rebuilt));
        }
        app.compare_if_needed(&beat).await?;
        work.downloads(app.store.due_now(app.clock.now()).await?);
        let (_setup, setups) = watch::channel(Arc::new(setup));
        let downloader = Downloader::new(setups, app.wake.clone(), stop);
        let archived = downloader.drain().await?;
        work.copies();
        let copied = app.copy_due(&targets, &beat).await?;
        app::write_sidecars(app.keeper(config).as_ref()).await?;
        Ok::<_, anyhow::Error>((report, Done { archived, copied }, rebuilt))
    };
    let passed = passed.await;
    // Also before an error is printed.
    progress.finish().await;
    let (report, done, rebuilt) = passed?;
    notify(&app, config, env).await?;
    let counts = app.store.counts().await?;
    let exit = match report.outcome {
        PassOutcome::Refused => Exit::CredentialsRefused,
        PassOutcome::Complete if counts.missing > 0 || counts.unlisted > 0 => Exit::Incomplete,
        PassOutcome::Complete => Exit::Done,
        _ => Exit::Failure,
    };
    let most = if args.json { u32::MAX } else { MOST_LEFT };
    let outcome = Outcome {
        left: app.store.left(most).await?,
        now: app.clock.now(),
        exit,
        report,
        sweep,
        rebuilt,
    };
    outcome.print(args, &done, &counts)?;
    drop(poller);
    app.close().await?;
    Ok(exit)
}

/// Sends the events that are due to webhooks. What is not delivered now, the service or the next run delivers.
async fn notify(app: &App, config: &Config, env: &Environment) -> Result<()> {
    if config.webhooks.is_empty() {
        return Ok(());
    }
    match app::webhooks::endpoints(config, env) {
        Ok(webhooks) => app.notifier().drain(&webhooks, LONGEST_NOTIFYING).await?,
        // Often the service alone has the secrets.
        Err(error) => {
            tracing::warn!("webhooks are left to the service: {error:#}");
            app.store.prune_outbox(app.clock.now()).await?;
        }
    }
    Ok(())
}

/// The file from which systemd can pass the token to a command; `None`: it is in an environment variable.
pub(super) fn token_file(config: &Config, env: &Environment) -> Option<PathBuf> {
    match config.token(env) {
        Ok(found) if found.source == TokenSource::Variable => None,
        _ => {
            let configured = config.signalwire.api_token_file.clone();
            Some(configured.unwrap_or_else(|| PathBuf::from(TOKEN_FILE)))
        }
    }
}

/// A pass on a copy of the database, so that it shows what a real one would do.
async fn dry(args: &OnceArgs, config: &Config, env: &Environment, clock: Clock) -> Result<Exit> {
    let token = app::token(config, env).or_else(|error| {
        // Perhaps only the other user can read it.
        let file = token_file(config, env);
        refuse_foreign(
            &config.database.path,
            &config.archive.directory,
            file.as_deref(),
        )?;
        Err(error)
    })?;
    let directory =
        tempfile::tempdir().context("could not make a directory for a copy of the database")?;
    let copy = directory.path().join("archive.db");
    if config.database.path.exists() {
        let store = Store::open(&config.database.path, Access::Read).await?;
        store.copy_to(&copy).await?;
        store.close().await;
    }
    let store = Store::open(&copy, Access::Write).await?;
    let cooldowns = Cooldowns::load(store.cooldowns().await?);
    let poller = Poller {
        client: app::client(config, token, clock.clone(), cooldowns.clone())?,
        store: store.clone(),
        links: Links::default(),
        cooldowns,
        filter: Filter::new(app::room_filter(config)),
        settle: config.poll.settle,
        concurrency: config.poll.concurrency,
        clock,
        stop: stop_on_signals(),
        beat: Arc::new(|| {}),
        due: Arc::new(|| {}),
    };
    poller.replan(None).await?;
    store.list_put_off(poller.clock.now()).await?;
    let report = pass(&poller, args.sweep).await?;
    let left = store.left(u32::MAX).await?;
    let would: Vec<Left> = left
        .into_iter()
        .filter(|left| matches!(left.state, State::Pending | State::Damaged))
        .collect();
    let exit = match report.outcome {
        PassOutcome::Refused => Exit::CredentialsRefused,
        PassOutcome::Complete => Exit::Done,
        _ => Exit::Failure,
    };
    let outcome = Outcome {
        left: would,
        now: poller.clock.now(),
        exit,
        report,
        sweep: args.sweep,
        rebuilt: None,
    };
    outcome.print_dry(args)?;
    drop(poller);
    store.close().await;
    Ok(exit)
}

/// Makes a pass, and makes it again after each short rate limit.
async fn pass(poller: &Poller, sweep: bool) -> Result<Report> {
    let mut waits = 0;
    loop {
        let report = if sweep {
            poller.sweep().await?
        } else {
            poller.poll().await?
        };
        let now = poller.clock.now();
        let soon = report
            .rate_limited_until
            .filter(|until| waits < MOST_WAITS && *until <= now + LONGEST_WAIT);
        let Some(until) = soon else {
            return Ok(report);
        };
        waits += 1;
        let wait = tokio::time::sleep((until - now).to_std().unwrap_or_default());
        if poller.stop.run_until_cancelled(wait).await.is_none() {
            return Ok(report);
        }
    }
}

/// Cancelled by the first SIGINT or SIGTERM; the second ends the process at once.
pub(super) fn stop_on_signals() -> CancellationToken {
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    // If the handler is missing, a write beyond the limit ends the process.
    _ = crate::lifecycle::survive_size_limits();
    tokio::spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            return;
        };
        for hard in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if hard {
                progress::end_line();
                std::process::exit(Exit::Failure as i32);
            }
            stopped.cancel();
        }
    });
    stop
}
