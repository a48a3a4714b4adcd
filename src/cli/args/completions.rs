use clap::Args;
use clap_complete::Shell;

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
