use clap::{Args, Subcommand};

use crate::config::Since;

#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// Send an event of the type webhook.test, once, and show what the receiver answered
    #[command(after_help = "\
Works without the database, and whether or not the daemon runs. The command must be able to read the webhook's secret.

Exit codes: 0 accepted, 1 not accepted, 2 wrong configuration.")]
    Test {
        /// The webhook's name in the configuration
        name: String,
    },

    /// Send events again that a webhook did not accept
    Replay(ReplayArgs),

    /// Send to a webhook again that was disabled, and try at once one that fails
    Enable {
        /// The webhook's name in the configuration
        name: String,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
The running daemon sends the events again, with their old ids. Without options these are the events that were given up.
Events are kept for 7 days once they are delivered, and for 30 days once they are given up.

Examples:
  room-archiver webhook replay ops
  room-archiver webhook replay ops --since 2026-11-23
  room-archiver webhook replay ops --event evt_5d41402abc4b2a76b9719d911017c592")]
pub struct ReplayArgs {
    /// The webhook's name in the configuration
    pub name: String,

    /// All events that happened at that time or later, delivered or not: a date, or a time such as 2026-11-23T08:00:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<Since>,

    /// The event with this id
    #[arg(long, value_name = "ID", conflicts_with = "since")]
    pub event: Option<String>,
}
