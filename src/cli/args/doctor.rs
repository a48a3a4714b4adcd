use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Prints one line for each check, and below a failed check what to do. To test the disk, it creates
a small file in the archive and removes it; nothing else changes.

Exit codes: 0 all checks passed, 1 a check failed, 2 wrong configuration, 3 credentials refused.")]
pub struct DoctorArgs {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
