//! `rebuild`: a new database from a bucket alone.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;

use super::args::RebuildArgs;
use super::exit::Exit;
use super::once::{rebuilt_json, rebuilt_text, stop_on_signals};
use super::out;
use super::runtime::block_on;
use crate::app::{self, App};
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::cooldown::Cooldowns;

pub(super) fn run(args: &RebuildArgs, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let config = Config::load(file, env)?;
    let clock = Clock::system();
    if out::is_quiet() || !std::io::stderr().is_terminal() {
        app::init_logs(&config, &clock)?;
    }
    block_on(rebuild(args, &config, env, clock))?
}

async fn rebuild(
    args: &RebuildArgs,
    config: &Config,
    env: &Environment,
    clock: Clock,
) -> Result<Exit> {
    // Before anything is created: a wrong name, a missing key or a bucket that refuses it must leave nothing behind.
    let target = app::target(config, env, &args.from, &clock, &Cooldowns::default())?;
    target.list("", None).await?;
    let stop = stop_on_signals();
    let app = App::open(config, clock, stop.clone()).await?;
    app.configure_targets(config).await?;
    app.store
        .watch_sidecars(config.archive.sidecars, true)
        .await?;
    let rebuilder = app.rebuilder(config, Arc::new(|| {}));
    let rebuilt = rebuilder.from_bucket(&args.from, &target).await;
    drop(rebuilder);
    let stopped = stop.is_cancelled();
    app.close().await?;
    let rebuilt = rebuilt?;
    let exit = if stopped || rebuilt.unusable > 0 {
        Exit::Failure
    } else {
        Exit::Done
    };
    if args.json {
        let mut object = rebuilt_json(&rebuilt);
        object["complete"] = (!stopped).into();
        out::json(&object)?;
    } else {
        let mut text = rebuilt_text(&rebuilt);
        if stopped {
            text.push_str("stopped before the end: start it again to go on\n");
        }
        out::report(&text, exit)?;
    }
    Ok(exit)
}
