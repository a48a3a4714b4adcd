//! Every command and option of the command line, with its help.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use globset::{GlobBuilder, GlobMatcher};

use crate::config::Since;
use crate::model::{RecordingId, State};

/// Keeps every video-room recording of a SignalWire project safe on your own disk.
#[derive(Debug, Parser)]
#[command(version, propagate_version = false, after_help = TOP_HELP)]
pub struct Cli {
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        help = "Configuration file [default: $ROOM_ARCHIVER_CONFIG, else /etc/room-archiver/config.toml]"
    )]
    pub config: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Command,
}

const TOP_HELP: &str = "\
Getting started:
  room-archiver config check     is the configuration right?
  room-archiver doctor           can everything be reached and written?
  room-archiver once --dry-run   what would be archived?
  room-archiver run              archive, until stopped

Exit codes:
  0  done
  1  failure
  2  wrong usage or configuration
  3  SignalWire refused the credentials
  4  done, but recordings that are completed upstream are not archived
  5  verification found damage
  6  another instance holds the archive

Any setting can be overridden by an environment variable: ROOM_ARCHIVER__SECTION__KEY.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Archive until stopped: the daemon that the service runs
    #[command(after_help = "\
Polls, sweeps and verifies on the configured schedules (UTC) and downloads in between.
SIGTERM and SIGINT stop it gracefully: unfinished downloads are kept, and resumed by the next start.
A second signal stops it at once. SIGHUP reads the configuration again.

Exit codes: 0 stopped by a signal, 1 failure, 2 wrong configuration, 6 another instance holds the archive.")]
    Run,

    /// Make one pass and download until nothing more can be downloaded now
    Once(OnceArgs),

    /// Show whether the archive is healthy: passes, queue, what needs attention
    Status(StatusArgs),

    /// List recordings
    List(ListArgs),

    /// Show everything about one recording: its session, file and download attempts
    Show(ShowArgs),

    /// Retry recordings now
    Retry(RetryArgs),

    /// Read archived files again and compare them with their checksums
    Verify(VerifyArgs),

    /// Check the configuration, the credentials, the disk and the database, and say what to do
    #[command(after_help = "\
Prints one line for each check, and below a failed check what to do. To test the disk, it creates
a small file in the archive and removes it; nothing else changes.

Exit codes: 0 all checks passed, 1 a check failed, 2 wrong configuration, 3 credentials refused.")]
    Doctor,

    /// Check or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),

    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Waits for retries of failed downloads that are due soon. At the end it lists what is not archived yet.

Examples:
  room-archiver once                     look for new recordings, as the daemon's polls do
  room-archiver once --sweep             compare everything upstream with the archive
  room-archiver once --sweep --dry-run   ... but only show what would be downloaded

Exit codes: 0 everything completed upstream is archived, 1 failure, 3 credentials refused,
4 recordings that are completed upstream are not archived, or recordings of a session
could not be listed, 6 another instance holds the archive.")]
pub struct OnceArgs {
    /// Compare all sessions and recordings upstream, not only the recent ones
    #[arg(long)]
    pub sweep: bool,

    /// Only show what would be downloaded; change nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  room-archiver status --json | jq .queue

Reads only the database, whether or not the daemon runs.")]
pub struct StatusArgs {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  room-archiver list --state lost,damaged
  room-archiver list --room 'team-*' --since 2026-01-01 --format csv > recordings.csv
  room-archiver list --format json | jq -r '.[].recording_id'

States:
  waiting      not completed upstream yet     archived  the whole file is on the disk
  skipped      left out by the filter         lost      gone upstream before it was archived
  pending      to be downloaded               damaged   archived, but the file is missing or altered
  downloading  being downloaded now")]
pub struct ListArgs {
    /// Only rooms whose name matches this glob
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    pub room: Option<GlobMatcher>,

    /// Only recordings in these states
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = state())]
    pub state: Vec<State>,

    /// Only recordings that started at or after this date or RFC 3339 time
    #[arg(long, value_name = "DATE")]
    pub since: Option<Since>,

    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

fn state() -> impl clap::builder::TypedValueParser<Value = State> {
    PossibleValuesParser::new(State::ALL.map(State::as_str)).try_map(|text| text.parse::<State>())
}

/// A glob for room names, as in the configured filter: case-sensitive, and `*` also matches `/`.
fn glob(text: &str) -> Result<GlobMatcher, String> {
    GlobBuilder::new(text)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| error.kind().to_string())
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns
    #[default]
    Table,
    /// One JSON array
    Json,
    /// Comma-separated values with a header
    Csv,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  room-archiver show d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f")]
pub struct ShowArgs {
    /// Id of the recording
    pub id: RecordingId,
}

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

#[derive(Debug, Args)]
#[command(after_help = "\
Without ids it reads the files verified longest ago, as many bytes as verify.bytes_per_run allows.
Damaged recordings are downloaded again while SignalWire has them; nothing is deleted.

Examples:
  room-archiver verify --full
  room-archiver verify d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f

Exit codes: 0 no damage, 1 some files could not be verified, 5 damage was found.")]
pub struct VerifyArgs {
    /// Read every file, however long it takes
    #[arg(long, conflicts_with = "ids")]
    pub full: bool,

    /// Ids of the recordings
    #[arg(value_name = "ID")]
    pub ids: Vec<RecordingId>,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration and report all mistakes
    #[command(after_help = "Exit codes: 0 valid, 2 not valid.")]
    Check,

    /// Print the settings in effect as TOML, and where each comes from
    #[command(after_help = "\
Settings without a comment have their default values. The API token is not shown, only where it comes from.")]
    Show,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  room-archiver completions bash > /etc/bash_completion.d/room-archiver
  room-archiver completions zsh > /usr/local/share/zsh/site-functions/_room-archiver
  room-archiver completions fish > ~/.config/fish/completions/room-archiver.fish")]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}
