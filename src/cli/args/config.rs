use clap::Subcommand;

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
