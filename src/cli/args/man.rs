use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct ManArgs {
    /// The directory, which is created if it is missing
    #[arg(value_name = "DIRECTORY")]
    pub directory: PathBuf,
}
