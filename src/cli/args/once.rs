use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Waits for retries of failed downloads that are due soon. At the end it lists what is not archived yet.
Ctrl-C ends it: unfinished downloads are kept, and resumed by the next run.

Examples:
  room-archiver once                     look for new recordings, as the daemon's polls do
  room-archiver once --sweep             compare everything upstream with the archive
  room-archiver once --sweep --dry-run   ... but only show what would be downloaded
  room-archiver once --rebuild           fill a new database from the archive's sidecars, then sweep

Exit codes: 0 everything completed upstream is archived, 1 failure, 3 credentials refused,
4 recordings that are completed upstream are not archived, or recordings of a session
could not be listed, 6 another instance holds the archive.")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub struct OnceArgs {
    /// Compare all sessions and recordings upstream, not only the recent ones
    #[arg(long)]
    pub sweep: bool,

    /// Only show what would be downloaded; change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// First take from the sidecars in the archive what the database does not know; then sweep
    #[arg(long, conflicts_with = "dry_run")]
    pub rebuild: bool,

    /// Print all values in full, even if the lines do not fit the terminal
    #[arg(long)]
    pub wide: bool,

    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
