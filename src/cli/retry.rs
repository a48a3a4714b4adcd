//! `retry`: makes recordings due now.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Result;

use super::args::RetryArgs;
use super::exit::Exit;
use super::{database, ids, out};
use crate::clock::Clock;
use crate::config::Environment;
use crate::model::State;
use crate::store::{Access, Retried};

pub(super) fn run(args: &RetryArgs, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let retried = database::with(file, env, Access::Write, async |store, _| {
        let ids = ids::recordings(store, &args.ids).await?;
        let named = (!args.stuck).then_some(ids.as_slice());
        Ok(store.retry(named, Clock::system().now()).await?)
    })?;

    let mut queued = String::new();
    let mut refused = String::new();
    for one in &retried {
        // Writing to a String can't fail.
        let _ = match outcome(one) {
            Ok(text) => writeln!(queued, "{}: {text}", one.id),
            Err(text) => writeln!(refused, "{}: {text}", one.id),
        };
    }
    if retried.is_empty() {
        queued.push_str("no recording is stuck\n");
    }
    // When stderr is closed there is no one to write to.
    let _ = io::stderr().write_all(refused.as_bytes());
    out::print(&queued)?;
    Ok(if refused.is_empty() {
        Exit::Done
    } else {
        Exit::Failure
    })
}

/// Whether it was queued, or why not.
fn outcome(one: &Retried) -> Result<String, &'static str> {
    let Some(was) = one.was else {
        return Err("not queued: no such recording is known");
    };
    match (was, one.now) {
        (_, Some(State::Waiting)) => Ok(format!("was {was}; waits until it is completed upstream")),
        (_, Some(_)) => Ok(format!("was {was}; queued")),
        (State::Waiting, None) => Err("not queued: it is not completed upstream yet"),
        (State::Skipped, None) => Err("not queued: the configured filter leaves it out"),
        (State::Downloading, None) => Err("not queued: it is being downloaded now"),
        (State::Archived, None) => {
            Err("not queued: it is archived; 'room-archiver verify' checks its file")
        }
        (_, None) => Err("not queued: it changed at the same time; try again"),
    }
}
