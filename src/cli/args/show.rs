use clap::Args;

use super::IdPrefix;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  room-archiver show d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f
  room-archiver show d369a2a3
  room-archiver show d369a2a3 --json | jq .attempts")]
pub struct ShowArgs {
    /// Id of the recording, or its first characters
    pub id: IdPrefix,

    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
