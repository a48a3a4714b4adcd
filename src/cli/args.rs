//! The surface of the command line: every command and option, and the help that teaches them.

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
    /// The configuration file.
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        help = "Configuration file [default: $ROOM_ARCHIVER_CONFIG, else /etc/room-archiver/config.toml]"
    )]
    pub config: Option<PathBuf>,

    /// What to do.
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

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Archive until stopped: the daemon that the service runs
    #[command(after_help = "\
Polls, sweeps and verifies on the configured schedules (UTC) and downloads in between.
SIGTERM and SIGINT stop it softly: parts are kept and resumed. A second signal stops at once.
SIGHUP reads the configuration again.

Exit codes: 0 stopped as asked, 1 failure, 2 configuration, 6 another instance holds the archive.")]
    Run,

    /// Make one pass and download until nothing more can be done now
    Once(OnceArgs),

    /// Show whether the archive is healthy: passes, queue, what needs attention
    Status(StatusArgs),

    /// List recordings
    List(ListArgs),

    /// Show all that is known of one recording: its session, file and attempts
    Show(ShowArgs),

    /// Try recordings again at once
    Retry(RetryArgs),

    /// Read archived files again and compare them with their checksums
    Verify(VerifyArgs),

    /// Check the configuration, the credentials, the disk and the database, and say what to do
    #[command(after_help = "\
Every check is one line; what fails comes with what to do. A small file is made in the archive
to try the disk, and removed again; nothing else changes.

Exit codes: 0 all well, 1 something fails, 2 configuration, 3 credentials refused.")]
    Doctor,

    /// Check or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),

    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

/// Options of `once`.
#[derive(Debug, Args)]
#[command(after_help = "\
Retries of failed downloads that are due soon are waited for. At the end it prints what is left.

Examples:
  room-archiver once                     what a poll of the daemon does
  room-archiver once --sweep             compare everything upstream with the archive
  room-archiver once --sweep --dry-run   ... and only show what would be done

Exit codes: 0 everything completed upstream is archived, 3 credentials refused,
4 recordings that are completed upstream are not archived, or recordings of a session
could not be listed, 6 another instance holds the archive.")]
pub struct OnceArgs {
    /// Compare all sessions and recordings upstream, not only the recent ones
    #[arg(long)]
    pub sweep: bool,

    /// Show what would be done; download nothing, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Options of `status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  room-archiver status --json | jq .queue

Reads the database only; the daemon may run or not.")]
pub struct StatusArgs {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Options of `list`.
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

    /// Only recordings that started then or later: a date, or an RFC 3339 time
    #[arg(long, value_name = "DATE")]
    pub since: Option<Since>,

    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

fn state() -> impl clap::builder::TypedValueParser<Value = State> {
    PossibleValuesParser::new(State::ALL.map(State::as_str)).try_map(|text| text.parse::<State>())
}

/// A glob on a room's name, as those of the filter: it minds case and `*` also matches `/`.
fn glob(text: &str) -> Result<GlobMatcher, String> {
    GlobBuilder::new(text)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| error.kind().to_string())
}

/// How rows are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// One JSON array.
    Json,
    /// Comma-separated values with a header.
    Csv,
}

/// Options of `show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  room-archiver show d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f")]
pub struct ShowArgs {
    /// The recording's id
    pub id: RecordingId,
}

/// Options of `retry`.
#[derive(Debug, Args)]
#[command(after_help = "\
The recordings become due at once; a running daemon downloads them next. What was lost is looked for again.

Examples:
  room-archiver retry --stuck
  room-archiver retry d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f")]
pub struct RetryArgs {
    /// The recordings' ids
    #[arg(
        required_unless_present = "stuck",
        conflicts_with = "stuck",
        value_name = "ID"
    )]
    pub ids: Vec<RecordingId>,

    /// All recordings that need attention: those of the view failures
    #[arg(long)]
    pub stuck: bool,
}

/// Options of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without ids it reads the files verified longest ago, as many bytes as verify.bytes_per_run allows.
Damaged recordings are fetched again while the source has them; nothing is deleted.

Examples:
  room-archiver verify --full
  room-archiver verify d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f

Exit codes: 0 all that was read is sound, 5 damage was found.")]
pub struct VerifyArgs {
    /// Read every file, however long it takes
    #[arg(long, conflicts_with = "ids")]
    pub full: bool,

    /// The recordings' ids
    #[arg(value_name = "ID")]
    pub ids: Vec<RecordingId>,
}

/// The commands below `config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration and report everything that is wrong with it
    #[command(after_help = "Exit codes: 0 it can be used, 2 it can't.")]
    Check,

    /// Print the settings in effect as TOML, with where each came from
    #[command(after_help = "\
Settings without a comment have their default. Secrets are not shown: of the token only whether it is set.")]
    Show,
}

/// Options of `completions`.
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
