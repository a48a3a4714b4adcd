use clap::Args;

use super::IdPrefix;

#[derive(Debug, Args)]
#[command(after_help = "\
Without ids it reads the files verified longest ago, as many bytes as verify.bytes_per_run allows.
Damaged recordings are downloaded again while SignalWire has them; nothing is deleted.

Examples:
  room-archiver verify --full
  room-archiver verify d369a2a3

Ctrl-C ends it: the results so far are kept.

Exit codes: 0 no damage, 1 it was stopped, or some files could not be verified, 5 damage was found.")]
pub struct VerifyArgs {
    /// Read every file, however long it takes
    #[arg(long, conflicts_with = "ids")]
    pub full: bool,

    /// Ids of the recordings, or their first characters
    #[arg(value_name = "ID")]
    pub ids: Vec<IdPrefix>,

    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
