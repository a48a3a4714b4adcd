//! `status`: whether the archive is healthy and what needs attention, as text or JSON.

mod facts;
mod text;

use std::path::Path;

use anyhow::Result;

use facts::Status;

use super::args::StatusArgs;
use super::exit::Exit;
use super::{database, out};
use crate::clock::Clock;
use crate::config::Environment;
use crate::instance::Instance;
use crate::store::Access;

pub(super) fn run(args: &StatusArgs, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let now = Clock::system().now();
    let status = database::with(file, env, Access::Read, async |store, config| {
        let running = Instance::is_running(&config.database.path);
        Ok(Status::read(store, now, running).await?)
    })?;
    let text = if args.json {
        serde_json::to_string_pretty(&status)? + "\n"
    } else {
        text::render(&status, now)
    };
    out::print(&text)?;
    Ok(Exit::Done)
}
