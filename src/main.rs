//! Parses the command line, runs the command, and sets the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    room_archiver::cli::run(std::env::args_os())
}
