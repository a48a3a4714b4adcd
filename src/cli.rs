//! The command line: one file for each command. Here the command is chosen, and errors are printed, once.

mod args;
mod bundle;
mod completions;
mod config;
mod database;
mod doctor;
mod exit;
mod fetch;
mod ids;
mod list;
mod man;
mod once;
mod out;
mod progress;
mod rebuild;
mod recordings;
mod retry;
mod run;
pub mod runtime;
mod show;
mod status;
mod table;
mod verify;
mod web;
mod webhook;
mod width;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use self::args::{Cli, Command};
use self::exit::Exit;
use crate::config::{ConfigErrors, Environment};
use crate::escape;

/// Runs the command in `args`, whose first item is the program's name. Results go to stdout, errors to stderr.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(message) => {
            // clap returns help and version as errors too. A closed stream is no reason to fail.
            let _ = message.print();
            let exit = if message.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
            return exit.into();
        }
    };
    dispatch(&cli, &Environment::process())
        .unwrap_or_else(|error| report(&error))
        .into()
}

fn dispatch(cli: &Cli, env: &Environment) -> Result<Exit> {
    let file = cli.config.as_deref();
    if cli.quiet {
        out::be_quiet();
    }
    match &cli.command {
        Command::Run => run::run(file, env),
        Command::Once(args) => once::run(args, file, env),
        Command::Verify(args) => verify::run(args, file, env),
        Command::Config(args) => config::run(args, file, env),
        Command::Web => web::run(file, env),
        Command::SupportBundle(args) => bundle::run(args, file, env),
        Command::Doctor(args) => doctor::run(args, file, env),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
        Command::Status(args) => status::run(args, file, env),
        Command::List(args) => list::run(args, file, env),
        Command::Show(args) => show::run(args, file, env),
        Command::Webhook(args) => webhook::run(args, file, env),
        Command::Fetch(args) => fetch::run(args, file, env),
        Command::Rebuild(args) => rebuild::run(args, file, env),
        Command::Retry(args) => retry::run(args, file, env),
    }
}

/// Prints the error with its causes, and returns its exit code.
fn report(error: &anyhow::Error) -> Exit {
    if out::is_closed(error) {
        return Exit::Done;
    }
    // These have several lines, each already escaped.
    let text = if error.is::<ConfigErrors>() || error.is::<ids::NotOne>() {
        error.to_string()
    } else {
        escape::line(&format!("{error:#}")).into_owned()
    };
    // When stderr is closed there is no one to write to.
    let _ = writeln!(io::stderr(), "error: {text}");
    Exit::of(error)
}

#[cfg(test)]
mod tests;
