//! Every command and option of the command line, with its help: one file for each command.

mod bundle;
mod completions;
mod config;
mod doctor;
mod fetch;
mod id;
mod list;
mod man;
mod once;
mod rebuild;
mod retry;
mod show;
mod status;
mod verify;
mod webhook;
mod when;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use self::bundle::BundleArgs;
pub use self::completions::CompletionsArgs;
pub use self::config::{ConfigCommand, ReloadArgs};
pub use self::doctor::DoctorArgs;
pub use self::fetch::FetchArgs;
pub use self::id::IdPrefix;
pub use self::list::{Format, ListArgs};
pub use self::man::ManArgs;
pub use self::once::OnceArgs;
pub use self::rebuild::RebuildArgs;
pub use self::retry::RetryArgs;
pub use self::show::ShowArgs;
pub use self::status::StatusArgs;
pub use self::verify::VerifyArgs;
pub use self::webhook::{ReplayArgs, WebhookCommand};
pub use self::when::When;
use crate::version::VERSION;

/// Keeps every video-room recording of a SignalWire project safe on your own disk.
#[derive(Debug, Parser)]
#[command(version = VERSION, propagate_version = false, after_help = TOP_HELP)]
pub struct Cli {
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        help = "Configuration file [default: $ROOM_ARCHIVER_CONFIG, else /etc/room-archiver/config.toml]"
    )]
    pub config: Option<PathBuf>,

    /// Print nothing but errors
    #[arg(long, short, global = true)]
    pub quiet: bool,

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

An id can be shortened to its first characters, as long as they are those of one recording or session.

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

    /// Bring files back from their copies in object stores
    Fetch(FetchArgs),

    /// Make a new database from the copies in an object store, after the machine was lost
    Rebuild(RebuildArgs),

    /// Check the configuration, the credentials, the disk and the database, and say what to do
    Doctor(DoctorArgs),

    /// Serve a read-only page of the archive: what is there, what is not and why, and a player
    #[command(after_help = "\
Listens on web.listen, a loopback address, or on the sockets that systemd passes. It needs read access
to the database and the recordings, and no token; it changes nothing. Stop it with SIGTERM or SIGINT.

Exit codes: 0 stopped by a signal, 1 failure, 2 wrong configuration.")]
    Web,

    /// Check or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),

    /// Test a webhook, or send events to it again
    #[command(subcommand)]
    Webhook(WebhookCommand),

    /// Write a tar file for a report of a problem, which names no room
    SupportBundle(BundleArgs),

    /// Print a completion script for a shell
    Completions(CompletionsArgs),

    /// Write the manual pages into a directory: for packages and installation scripts
    #[command(hide = true)]
    Man(ManArgs),
}
