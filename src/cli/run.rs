//! `run`: the service itself.

use std::path::Path;

use anyhow::Result;

use super::exit::Exit;
use super::runtime::block_on;
use crate::app;
use crate::config::Environment;

/// Runs until stopped. Ends the process itself: returning would wait for blocking calls that may never end.
pub fn run(file: Option<&Path>, env: &Environment) -> Result<Exit> {
    block_on(app::run(file, env))??.exit()
}
