//! `completions`: prints the completion script of a shell.
//!
//! What `clap_complete` writes is corrected where shells need it; `tests/it/shells.rs` asks the real shells.

use anyhow::Result;
use clap::builder::PossibleValue;
use clap::{Arg, Command, CommandFactory as _};
use clap_complete::Shell;

use super::args::{Cli, CompletionsArgs};
use super::exit::Exit;
use super::out;

const NAME: &str = "room-archiver";

pub(super) fn run(args: &CompletionsArgs) -> Result<Exit> {
    out::print(&script(args.shell))?;
    Ok(Exit::Done)
}

fn script(shell: Shell) -> String {
    let mut command = Cli::command();
    // Into memory first: clap_complete panics when it can't write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, NAME, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let lists = lists(&command);
    match shell {
        Shell::Bash => bash(&script, &lists),
        Shell::Zsh => zsh(script, &lists),
        Shell::Fish => fish(script, &lists) + &fish_arguments(&command),
        _ => script,
    }
}

/// An option whose value is a list of words separated by commas.
struct List {
    option: String,
    value: String,
    words: Vec<String>,
}

fn lists(command: &Command) -> Vec<List> {
    let list = |arg: &Arg| {
        let words = arg.get_possible_values();
        let is_list = arg.get_value_delimiter() == Some(',') && !words.is_empty();
        is_list.then(|| List {
            option: arg.get_long().unwrap_or_default().to_owned(),
            value: arg
                .get_value_names()
                .map(|names| names[0].to_string())
                .unwrap_or_default(),
            words: words
                .iter()
                .map(|word| word.get_name().to_owned())
                .collect(),
        })
    };
    let below = command.get_subcommands().flat_map(lists);
    command
        .get_arguments()
        .filter_map(list)
        .chain(below)
        .collect()
}

/// Three corrections:
/// - below the top level, `clap_complete` 4.6 looks for `room__subcmd__archiver` where it has stored `room__archiver`
///   (clap issue 6421)
/// - to bash, `--format=csv` is three words
/// - in a list, the last word is completed, and the words before it stay
fn bash(script: &str, lists: &[List]) -> String {
    let options = lists.iter().map(|list| format!("--{},*,*", list.option));
    let options = options.collect::<Vec<_>>().join("|");
    let words = format!(
        "    prev=\"$3\"\n    local listed=\"\"\n    \
         if [[ \"${{prev}}\" == \"=\" ]]; then\n        prev=\"${{COMP_WORDS[COMP_CWORD-2]}}\"\n    fi\n    \
         case \"${{prev}},${{cur}}\" in\n        {options})\n            \
         listed=\"${{cur%,*}},\"\n            cur=\"${{cur##*,}}\"\n            ;;\n    esac\n"
    );
    script
        .replace("room__subcmd__archiver", "room__archiver")
        .replace("    prev=\"$3\"\n", &words)
        .replace("compgen -W", "compgen -P \"${listed}\" -W")
}

fn zsh(mut script: String, lists: &[List]) -> String {
    for list in lists {
        let (value, words) = (&list.value, list.words.join(" "));
        script = script.replace(
            &format!(":{value}:({words})"),
            &format!(":{value}:_sequence compadd - {words}"),
        );
    }
    script
}

fn fish(mut script: String, lists: &[List]) -> String {
    for list in lists {
        let described = list.words.iter().map(|word| format!("{word}\\t''"));
        let described = described.collect::<Vec<_>>().join("\n");
        script = script.replace(
            &format!("-a \"{described}\""),
            &format!(
                "-a \"(__fish_complete_list , 'printf \\\"%s\\\\n\\\" {}')\"",
                list.words.join(" ")
            ),
        );
    }
    script
}

/// `clap_complete` leaves out the values of arguments that are no options.
fn fish_arguments(command: &Command) -> String {
    let mut lines = Vec::new();
    for command in command.get_subcommands() {
        for argument in command.get_positionals() {
            let values = argument.get_possible_values();
            let words: Vec<_> = values.iter().map(PossibleValue::get_name).collect();
            if !words.is_empty() {
                let (name, words) = (command.get_name(), words.join(" "));
                let using = format!("__fish_room_archiver_using_subcommand {name}");
                lines.push(format!(
                    "complete -c {NAME} -n \"{using}\" -f -a \"{words}\"\n"
                ));
            }
        }
    }
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_correction_finds_what_it_corrects() {
        let lists = lists(&Cli::command());
        assert!(lists.iter().any(|list| list.option == "state"));
        let bash = script(Shell::Bash);
        assert!(!bash.contains("room__subcmd__archiver"));
        assert!(bash.contains("        --state,*,*)\n"));
        assert!(script(Shell::Zsh).contains(":STATE:_sequence compadd - waiting"));
        assert!(script(Shell::Fish).contains("-a \"(__fish_complete_list , "));
    }
}
