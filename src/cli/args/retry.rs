use clap::Args;

use crate::model::RecordingId;

#[derive(Debug, Args)]
#[command(after_help = "\
The recordings become due now; a running daemon downloads them next. Lost recordings are requested again.

Examples:
  room-archiver retry --stuck
  room-archiver retry d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f")]
pub struct RetryArgs {
    /// Ids of the recordings
    #[arg(
        required_unless_present = "stuck",
        conflicts_with = "stuck",
        value_name = "ID"
    )]
    pub ids: Vec<RecordingId>,

    /// All recordings that need attention: the rows of the view failures
    #[arg(long)]
    pub stuck: bool,
}
