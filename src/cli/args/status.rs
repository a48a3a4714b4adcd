use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  room-archiver status --json | jq .queue

Reads only the database, whether or not the daemon runs.")]
pub struct StatusArgs {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
