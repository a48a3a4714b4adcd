use clap::Args;

use crate::model::RecordingId;

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  room-archiver show d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f")]
pub struct ShowArgs {
    /// Id of the recording
    pub id: RecordingId,
}
