//! `webhook`: sends a test, sends events again, enables.

use std::path::Path;

use anyhow::{Result, bail};

use super::args::{ReplayArgs, WebhookCommand};
use super::exit::Exit;
use super::{database, out, runtime};
use crate::app;
use crate::clock::Clock;
use crate::config::{Config, Environment, Since};
use crate::escape;
use crate::human;
use crate::store::{Access, Replay};

pub(super) fn run(
    command: &WebhookCommand,
    file: Option<&Path>,
    env: &Environment,
) -> Result<Exit> {
    match command {
        WebhookCommand::Test { name } => test(name, file, env),
        WebhookCommand::Replay(args) => replay(args, file, env),
        WebhookCommand::Enable { name } => enable(name, file, env),
    }
}

fn test(name: &str, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let config = Config::load(file, env)?;
    configured(&config, name)?;
    let webhook = app::webhooks::endpoint(&config, name, env)?;
    let answer = runtime::block_on(webhook.test(Clock::system().now()))?;
    let status = answer.status.unwrap_or_default();
    match answer.error {
        None => {
            out::print(&format!(
                "{name} accepted a test event: it answered {status}\n"
            ))?;
            Ok(Exit::Done)
        }
        Some(error) => bail!("{name} did not accept a test event: {error}"),
    }
}

fn replay(args: &ReplayArgs, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let name = &args.name;
    let which = match (&args.event, &args.since) {
        (Some(id), _) => Replay::Event(id.clone()),
        (None, Some(since)) => Replay::Since(Since::at(since)),
        (None, None) => Replay::Failed,
    };
    let repeated = database::with(file, env, Access::Write, async |store, config| {
        configured(config, name)?;
        Ok(store.replay(name, &which).await?)
    })?;
    match repeated {
        None => return unknown(name),
        Some(0) if args.event.is_some() => bail!("{name} has no delivery of that event"),
        Some(0) => out::print(&format!("{name} has no such events\n"))?,
        Some(count) => out::print(&format!(
            "{} will be sent to {name} again; the service does it\n",
            human::count(count, "event")
        ))?,
    }
    Ok(Exit::Done)
}

fn enable(name: &str, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let known = database::with(file, env, Access::Write, async |store, config| {
        configured(config, name)?;
        Ok(store.enable_webhook(name).await?)
    })?;
    if !known {
        return unknown(name);
    }
    out::print(&format!("{name} is enabled; the service sends to it\n"))?;
    Ok(Exit::Done)
}

/// Fails if the configuration has no such webhook.
fn configured(config: &Config, name: &str) -> Result<()> {
    if config.webhooks.contains_key(name) {
        return Ok(());
    }
    let names: Vec<&str> = config.webhooks.keys().map(String::as_str).collect();
    let name = escape::line(name);
    match names.as_slice() {
        [] => bail!("no webhook is configured; see config.toml"),
        names => bail!(
            "there is no webhook '{name}'; there are: {}",
            names.join(", ")
        ),
    }
}

fn unknown<T>(name: &str) -> Result<T> {
    bail!("{name} is configured, but the service does not know it yet: restart or reload it")
}
