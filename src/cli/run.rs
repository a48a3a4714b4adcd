//! `run`: the service itself.

use std::path::Path;

use anyhow::Result;

use super::exit::Exit;
use super::out;
use super::runtime::block_on;
use crate::app;
use crate::config::Environment;

/// Runs until stopped, then ends the process from within the runtime: dropping the runtime would wait for
/// blocking calls that may never return.
pub fn run(file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let env = if out::is_quiet() {
        let level = ("ROOM_ARCHIVER__LOG__LEVEL", "error");
        env.iter().chain([level]).collect()
    } else {
        env.clone()
    };
    block_on(async {
        let end = Box::pin(app::run(file, &env)).await;
        end.map(|end| -> Exit { end.exit() })
    })?
}
