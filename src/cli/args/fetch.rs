use clap::Args;

use super::IdPrefix;

#[derive(Debug, Args)]
#[command(after_help = "\
The files come back to their places, as durably as a download, after their SHA-256 was compared. From then on they
stay for keep_local. May run beside the service. Files that are on the disk stay as they are.

Examples:
  room-archiver fetch d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f
  room-archiver fetch d369a2a3 f6ac5b1f --json

Exit codes: 0 all files are on the disk, 1 some are not.")]
pub struct FetchArgs {
    /// Ids of the recordings, or their first characters
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<IdPrefix>,

    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
