//! `status`: whether the archive is healthy and what needs attention, as text or JSON.

mod all;
mod copies;
mod facts;
mod text;

use std::path::Path;

use anyhow::Result;

use facts::Status;

use super::args::StatusArgs;
use super::exit::Exit;
use super::width::Width;
use super::{database, out};
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::store::{Access, Store};

pub(super) fn run(args: &StatusArgs, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let now = Clock::system().now();
    if args.all {
        return all::run(args, file, env, now);
    }
    let status = database::with(file, env, Access::Read, async |store, config| {
        Ok(Status::read(store, config, now).await?)
    })?;
    let exit = if args.check && !status.healthy {
        Exit::Failure
    } else {
        Exit::Done
    };
    let width = Width::of_stdout().or_full(args.wide);
    if args.json {
        out::json(&status)?;
    } else if args.check {
        out::report(&text::health(&status, width), exit)?;
    } else {
        out::print(&text::render(&status, now, width))?;
    }
    Ok(exit)
}

fn to_json(status: &Status) -> Result<String> {
    Ok(serde_json::to_string_pretty(status)? + "\n")
}

/// What `--json` prints.
pub(super) async fn json(store: &Store, config: &Config) -> Result<String> {
    to_json(&Status::read(store, config, Clock::system().now()).await?)
}
