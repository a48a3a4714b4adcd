//! `status`: whether the archive is healthy and what needs attention, as text or JSON.

mod all;
mod facts;
mod text;

use std::path::Path;

use anyhow::Result;

use facts::Status;

use super::args::StatusArgs;
use super::exit::Exit;
use super::{database, out};
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::store::{Access, Store};

pub(super) fn run(args: &StatusArgs, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let now = Clock::system().now();
    if args.all {
        return all::run(args.json, file, env, now);
    }
    let status = database::with(file, env, Access::Read, async |store, config| {
        Ok(Status::read(store, config, now).await?)
    })?;
    let text = if args.json {
        to_json(&status)?
    } else {
        text::render(&status, now)
    };
    out::print(&text)?;
    Ok(Exit::Done)
}

fn to_json(status: &Status) -> Result<String> {
    Ok(serde_json::to_string_pretty(status)? + "\n")
}

/// What `--json` prints.
pub(super) async fn json(store: &Store, config: &Config) -> Result<String> {
    to_json(&Status::read(store, config, Clock::system().now()).await?)
}
