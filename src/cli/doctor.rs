//! `doctor`: checks everything that must be right before recordings can be archived, one line for each check.
//! A failed check says what to do. Files made to test the disk are removed.

mod copies;
mod disk;
mod lists;
mod report;
mod telemetry;

use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, Utc};

use report::Report;

use super::args::DoctorArgs;
use super::exit::Exit;
use super::once::token_file;
use super::out;
use super::runtime::block_on;
use super::width::Width;
use crate::clock::Clock;
use crate::config::{Config, Environment, Loaded};
use crate::cooldown::Cooldowns;
use crate::human;
use crate::instance::Instance;
use crate::model::ApiToken;
use crate::owner::refuse_foreign;
use crate::schedule::{Each, Schedule};
use crate::store::{Access, Store};
use crate::{app, signalwire};

pub fn run(args: &DoctorArgs, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let loaded = Loaded::read(file, env)?;
    let report = block_on(examine(&loaded, env, &Clock::system()))?;
    if args.json {
        out::json(&report.object())?;
    } else if out::is_quiet() {
        out::report(&report.failures(), report.exit)?;
    } else {
        out::print(&report.text(Width::of_stdout()))?;
    }
    Ok(report.exit)
}

/// What it prints, and its exit code.
pub fn text(file: Option<&Path>, env: &Environment) -> Result<(String, Exit)> {
    let loaded = Loaded::read(file, env)?;
    let report = block_on(examine(&loaded, env, &Clock::system()))?;
    Ok((report.text(Width::Full), report.exit))
}

async fn examine(loaded: &Loaded, env: &Environment, clock: &Clock) -> Report {
    let config = &loaded.config;
    let file = token_file(config, env);
    let (database, archive) = (&config.database.path, &config.archive.directory);
    let foreign = refuse_foreign(database, archive, file.as_deref()).err();
    let mut report = Report::new(foreign.map(|foreign| foreign.remedy()));
    report.ok("configuration", &loaded.file.display().to_string());
    let token = token(config, env, &mut report);
    match token {
        Some(token) => server(config, token, clock, &mut report).await,
        None => report.note("credentials", "not tried: there is no token"),
    }
    webhooks(config, env, &mut report);
    disk::examine(config, &mut report).await;
    copies::examine(config, env, clock, &mut report).await;
    let running = Instance::is_running(&config.database.path);
    let text = if running { "running" } else { "not running" };
    report.ok("instance", text);
    telemetry::examine(config, running, &mut report).await;
    let schedules = schedules(config).await;
    for (name, schedule) in [
        ("next poll", &schedules.poll),
        ("next sweep", &schedules.sweep),
        ("next verify", &schedules.verify),
    ] {
        report.ok(name, &next(schedule, clock.now()));
    }
    report
}

/// The schedules in force; as configured, while there is no database that says which archive it is.
async fn schedules(config: &Config) -> Each<Schedule> {
    let in_force = async {
        let store = Store::open(&config.database.path, Access::Read)
            .await
            .ok()?;
        let schedules = app::schedules(config, &store).await;
        store.close().await;
        schedules.ok()
    };
    in_force.await.unwrap_or_else(|| Each {
        poll: config.poll.schedule.clone(),
        sweep: config.poll.sweep_schedule.clone(),
        verify: config.verify.schedule.clone(),
    })
}

fn token(config: &Config, env: &Environment, report: &mut Report) -> Option<ApiToken> {
    match config.token(env) {
        Ok(found) if found.world_readable => {
            let text = format!(
                "from {}, but every user of this machine can read it: chmod 0600 it",
                found.source
            );
            report.note("token", &text);
            Some(found.token)
        }
        Ok(found) => {
            report.ok("token", &format!("from {}", found.source));
            Some(found.token)
        }
        Err(error) => {
            report.fail_as_user(
                "token",
                &format!("{:#}", anyhow::Error::from(error)),
                "the service gets it from systemd; to run a command as the service does, see 'By hand' in the README",
            );
            report.exit = Exit::Usage;
            None
        }
    }
}

/// Whether each webhook has a secret. Nothing is sent: 'webhook test' does that.
fn webhooks(config: &Config, env: &Environment, report: &mut Report) {
    for name in config.webhooks.keys() {
        match config.webhook_secrets(name, env) {
            Ok(found) => {
                let from = found.path.display();
                let text =
                    format!("{name}: secret from '{from}'; 'webhook test {name}' sends a test");
                report.ok("webhook", &text);
            }
            Err(error) => report.fail(
                "webhook",
                &format!("{:#}", anyhow::Error::from(error)),
                "docs/webhooks.md says how to make a secret",
            ),
        }
    }
}

/// Whether the API can be reached, accepts the credentials and answers each list, and whether the clocks agree.
async fn server(config: &Config, token: ApiToken, clock: &Clock, report: &mut Report) {
    let client = match app::client(config, token.clone(), clock.clone(), Cooldowns::default()) {
        Ok(client) => client,
        Err(error) => {
            report.fail(
                "credentials",
                &format!("{error:#}"),
                "check signalwire.ca_file and the certificates of this system",
            );
            return;
        }
    };
    let origin = config.signalwire.origin();
    let origin = origin.map_or_else(|_| String::new(), |url| url.origin().ascii_serialization());
    match client.probe().await {
        Ok(()) => {
            report.ok("credentials", &format!("accepted by {origin}"));
            lists::examine(config, token, clock, report).await;
        }
        Err(error @ signalwire::Error::Credentials { .. }) => {
            report.fail(
                "credentials",
                &error.to_string(),
                "make a token with the Video scope on the dashboard's API page, store it, restart the service",
            );
            report.exit = Exit::CredentialsRefused;
        }
        Err(error) => report.fail(
            "credentials",
            &error.to_string(),
            &format!("check signalwire.space, and that this machine reaches {origin}"),
        ),
    }
    report.clock("clock", "", client.skew(), "the server");
}

fn next(schedule: &Schedule, now: DateTime<Utc>) -> String {
    match schedule.next_after(now) {
        Some(at) => format!(
            "{} ({})",
            at.format("%Y-%m-%d %H:%M:%S UTC"),
            human::age(at, now)
        ),
        None => "never".to_owned(),
    }
}
