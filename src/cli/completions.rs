//! `completions`: prints the completion script of a shell.

use anyhow::Result;
use clap::CommandFactory as _;

use super::args::{Cli, CompletionsArgs};
use super::exit::Exit;
use super::out;

pub(super) fn run(args: &CompletionsArgs) -> Result<Exit> {
    // Into memory first: clap_complete panics when it can't write.
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut Cli::command(),
        "room-archiver",
        &mut script,
    );
    out::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
