use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
The file holds the version, the settings, what doctor and status show, the tables of the database with the number of
their rows, the last lines of the journal, and the state of the systemd unit. The API token and links are never in it;
space and project are hidden. Look through it before you send it to somebody. For all of it, run it as root.

Example:
  room-archiver support-bundle report.tar && tar -xOf report.tar | less")]
pub struct BundleArgs {
    /// The tar file to write; it must not exist yet
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,

    /// Show the names of rooms, the paths of files and ids instead of hiding them
    #[arg(long)]
    pub include_room_names: bool,
}
