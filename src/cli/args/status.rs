use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  room-archiver status --json | jq .queue
  room-archiver status --all        # every project on this machine

Reads only the database, whether or not the daemon runs.")]
pub struct StatusArgs {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,

    /// A line for each instance of room-archiver@NAME: each NAME.toml beside the configuration file
    #[arg(long)]
    pub all: bool,
}
