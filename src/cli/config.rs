//! `config check`, `config show` and `config reload`: whether the configuration is valid, which settings are in effect,
//! and having a running service read it again.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::args::{ConfigCommand, ReloadArgs};
use super::exit::Exit;
use super::{out, runtime};
use crate::app::reload;
use crate::config::{Config, Environment, Loaded, TokenError, WebhookSecretError};
use crate::escape;
use crate::human;
use crate::store::{Access, Store};

pub(super) fn run(command: &ConfigCommand, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let loaded = Loaded::read(file, env)?;
    match command {
        ConfigCommand::Check => out::print(&check(&loaded, env)?)?,
        ConfigCommand::Show(args) if args.json => out::json(&object(&loaded, env)?)?,
        ConfigCommand::Show(_) => out::print(&show(&loaded, env)?)?,
        ConfigCommand::Reload(args) => out::print(&reload(args, &loaded, env)?)?,
    }
    Ok(Exit::Done)
}

/// The JSON that scripts read: never rename a key.
fn object(loaded: &Loaded, env: &Environment) -> Result<Value> {
    let settings = serde_json::to_value(&loaded.config)
        .context("could not write the configuration as JSON")?;
    let (source, error) = match loaded.config.token(env) {
        Ok(found) => (Some(found.source.to_string()), None),
        Err(error) => (None, Some(human::chain(&error))),
    };
    Ok(json!({
        "file": loaded.file.display().to_string(),
        "settings": settings,
        "origins": loaded.origins,
        "token": {"source": source, "error": error},
    }))
}

fn check(loaded: &Loaded, env: &Environment) -> Result<String> {
    let token = token(&loaded.config, env)?;
    let file = loaded.file.display().to_string();
    let mut text = format!(
        "{}: the configuration is valid\n{token}\n",
        escape::line(&file)
    );
    for name in loaded.config.webhooks.keys() {
        let secret = webhook_secret(&loaded.config, name, env)?;
        text.push_str(&escape::line(&format!("webhook {name}: {secret}")));
        text.push('\n');
    }
    Ok(text)
}

/// As [`token`], of the secret of a webhook.
fn webhook_secret(
    config: &Config,
    name: &str,
    env: &Environment,
) -> Result<String, WebhookSecretError> {
    match config.webhook_secrets(name, env) {
        Ok(found) => {
            let secrets = human::count(found.secrets.len() as u64, "secret");
            let path = found.path.display();
            let readable = if found.world_readable {
                ", but every user of this machine can read it: chmod 0640 it"
            } else {
                ""
            };
            Ok(format!("{secrets}, from '{path}'{readable}"))
        }
        Err(WebhookSecretError::NotSet { name }) => Ok(format!(
            "no secret here; the service may get it as the systemd credential webhook_{name}"
        )),
        Err(WebhookSecretError::Unreadable { path, source, .. }) => Ok(format!(
            "the secret is not readable here, from '{}': {source}",
            path.display()
        )),
        Err(error @ WebhookSecretError::Unusable { .. }) => Err(error),
    }
}

/// Has a service of this configuration read it again.
fn reload(args: &ReloadArgs, loaded: &Loaded, env: &Environment) -> Result<String> {
    // A token that can't be used is a mistake, too.
    token(&loaded.config, env)?;
    runtime::block_on(async {
        let store = Store::open(&loaded.config.database.path, Access::Read).await;
        let store = store.context(
            "is database.path that of the running service? it can't change while the service runs",
        )?;
        let before = reload::last(&store).await?;
        let pid = Pid::from_raw(args.pid).context("not a process id")?;
        kill_process(pid, Signal::HUP)
            .with_context(|| format!("could not send SIGHUP to the process {}", args.pid))?;
        let answer = reload::answer(&store, before).await;
        store.close().await;
        answer
    })??;
    Ok("the service has read its configuration again\n".to_owned())
}

/// The settings as TOML that can be loaded again; each that is not a default is followed by its origin.
fn show(loaded: &Loaded, env: &Environment) -> Result<String> {
    let settings =
        toml::to_string(&loaded.config).context("could not write the configuration as TOML")?;
    let mut text = String::new();
    let mut section = "";
    for line in settings.lines() {
        text.push_str(&escape::line(line));
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name;
        } else if let Some((key, _)) = line.split_once(" = ")
            && let Some(origin) = loaded.origins.get(&format!("{section}.{key}"))
        {
            // Writing to a String can't fail.
            let _ = write!(text, "  # {}", escape::line(origin));
        }
        text.push('\n');
    }
    let token = token(&loaded.config, env).unwrap_or_else(|error| error.to_string());
    let _ = writeln!(text, "\n# {}", escape::line(&token));
    Ok(text)
}

/// One line about the token. Not set or not readable is no error: often only the service gets the
/// credential. A token that is there and can't be used is one.
fn token(config: &Config, env: &Environment) -> Result<String, TokenError> {
    match config.token(env) {
        Ok(found) if found.world_readable => Ok(format!(
            "API token: set, from {}, but every user of this machine can read it: chmod 0600 it",
            found.source
        )),
        Ok(found) => Ok(format!("API token: set, from {}", found.source)),
        Err(TokenError::NotSet) => Ok(
            "API token: not set here; the service may get it as the systemd credential signalwire_api_token".to_owned(),
        ),
        Err(TokenError::Unreadable { from, source }) => {
            Ok(format!("API token: not readable here, from {from}: {source}"))
        }
        Err(error @ TokenError::Unusable { .. }) => Err(error),
    }
}
