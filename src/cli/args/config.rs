use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration and report all mistakes
    #[command(after_help = "Exit codes: 0 valid, 2 not valid.")]
    Check,

    /// Print the settings in effect as TOML, and where each comes from
    #[command(after_help = "\
Settings without a comment have their default values. The API token is not shown, only where it comes from.")]
    Show(ConfigShowArgs),

    /// Let the running service read the configuration again, and wait until it has; `systemctl reload` runs this
    #[command(after_help = "\
A wrong configuration is refused, and the service keeps the old one.

Exit codes: 0 the new configuration is in effect, 1 the service refused it or does not answer, 2 not valid.")]
    Reload(ReloadArgs),
}

#[derive(Debug, Args)]
pub struct ReloadArgs {
    /// Process id of the service; systemd sets the variable
    #[arg(long, env = "MAINPID", value_parser = clap::value_parser!(i32).range(1..))]
    pub pid: i32,
}

#[derive(Debug, Args)]
pub struct ConfigShowArgs {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
