//! `man`: writes the manual pages: one for each command, made of its help, and `room-archiver.toml(5)`, made of
//! `docs/configuration.md`.

mod markdown;
mod page;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;

use super::args::{Cli, ManArgs};
use super::exit::Exit;

const CONFIGURATION: &str = include_str!("../../docs/configuration.md");

pub(super) fn run(args: &ManArgs) -> Result<Exit> {
    let directory = &args.directory;
    fs::create_dir_all(directory)
        .with_context(|| format!("could not create the directory '{}'", directory.display()))?;
    // The command "help" is clap's own, and documents nothing.
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    commands(&program, directory)?;
    write(
        directory,
        "room-archiver.toml.5",
        &markdown::page(CONFIGURATION),
    )?;
    Ok(Exit::Done)
}

/// The pages of a command and of those below it.
fn commands(command: &clap::Command, directory: &Path) -> Result<()> {
    let name = format!("{}.1", page::name(command));
    write(directory, &name, &page::command(command))?;
    for below in page::visible(command) {
        commands(below, directory)?;
    }
    Ok(())
}

fn write(directory: &Path, name: &str, page: &str) -> Result<()> {
    let path = directory.join(name);
    fs::write(&path, page).with_context(|| format!("could not write '{}'", path.display()))
}
