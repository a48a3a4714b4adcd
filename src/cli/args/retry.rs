use clap::Args;

use super::IdPrefix;

#[derive(Debug, Args)]
#[command(after_help = "\
The recordings become due now; a running daemon downloads them next. Lost recordings are requested again.

Examples:
  room-archiver retry --stuck
  room-archiver retry d369a2a3 f6ac5b1f")]
pub struct RetryArgs {
    /// Ids of the recordings, or their first characters
    #[arg(
        required_unless_present = "stuck",
        conflicts_with = "stuck",
        value_name = "ID"
    )]
    pub ids: Vec<IdPrefix>,

    /// All recordings that need attention: the rows of the view failures
    #[arg(long)]
    pub stuck: bool,
}
