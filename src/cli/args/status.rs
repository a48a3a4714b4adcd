use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  room-archiver status --json | jq .queue
  room-archiver status --all        # every project on this machine
  room-archiver status --check --quiet || systemctl status room-archiver
  room-archiver status --all --check

Reads only the database and the free space, whether or not the daemon runs.

Exit codes: 0 the status was read (with --check: and the archive is healthy), 1 it could not be read
(with --check: or the archive is not healthy; with --all: that of one instance), 2 wrong configuration.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct StatusArgs {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,

    /// A line for each instance of room-archiver@NAME: each NAME.toml beside the configuration file
    #[arg(long)]
    pub all: bool,

    /// Print only whether it is healthy, or why not, and exit with 1 if it is not
    #[arg(long)]
    pub check: bool,

    /// Print all values in full, even if the lines do not fit the terminal
    #[arg(long)]
    pub wide: bool,
}
