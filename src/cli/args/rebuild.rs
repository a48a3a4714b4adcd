use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
For a machine that was lost: needs the configuration, the access key and the bucket, and nothing else. All recordings
become archived, with their files in the bucket; 'room-archiver fetch' brings files to the disk. SignalWire is not
asked. Stop the service first. If it is interrupted, start it again: it goes on.

Example:
  room-archiver rebuild --from offsite

Exit codes: 0 done, 1 failure, or objects in the bucket could not be used, 2 wrong usage or configuration,
6 another instance holds the archive.")]
pub struct RebuildArgs {
    /// The object store to rebuild from: NAME of a section [copies.NAME]
    #[arg(long, value_name = "NAME")]
    pub from: String,

    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
