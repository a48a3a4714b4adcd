//! The completions, in the shells that complete with them.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::harness::{Capability, Terminal, has};
use super::{binary, text};

/// What is typed before the Tab key, and the last word after it. The last word can be completed in one way only.
const COMPLETED: [(&str, &str); 14] = [
    ("sta", "status"),
    ("compl", "completions"),
    ("config che", "check"),
    ("completions zs", "zsh"),
    ("list --sin", "--since"),
    ("list --state dam", "damaged"),
    ("list --state lost,dam", "lost,damaged"),
    ("list --state lost,pending,arc", "lost,pending,archived"),
    ("list --format js", "json"),
    ("verify --fu", "--full"),
    ("once --sweep --dr", "--dry-run"),
    ("status --js", "--json"),
    ("supp", "support-bundle"),
    ("support-bundle --incl", "--include-room-names"),
];

/// In place of the program: prints its arguments.
const SHOW_ARGUMENTS: &str = "room-archiver() { printf 'GOT'; printf '[%s]' \"$@\"; echo; }";

/// A directory with the completions of a shell in a file of this name.
fn completions(shell: &str, file: &str) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let done = binary().args(["completions", shell]).assert().code(0);
    std::fs::write(directory.path().join(file), &done.get_output().stdout).expect("a file");
    directory
}

fn path(directory: &TempDir) -> &str {
    directory.path().to_str().expect("text")
}

/// Types the line and keys, and returns the arguments that the command then has.
#[track_caller]
fn arguments(terminal: &mut Terminal, line: &str, keys: &str) -> Vec<String> {
    terminal.types(&format!("room-archiver {line}{keys}\r"));
    terminal.shows("GOT[");
    let got = terminal.shows("]\r\n");
    terminal.shows("READY>");
    got.split("][").map(str::to_owned).collect()
}

#[track_caller]
fn completes(terminal: &mut Terminal, line: &str, completed: &str) {
    let got = arguments(terminal, line, "\t");
    let (before, _) = line.rsplit_once(' ').unwrap_or_default();
    let mut expected: Vec<&str> = before.split_whitespace().collect();
    expected.push(completed);
    assert_eq!(got, expected, "after '{line}'");
}

fn completes_all(terminal: &mut Terminal) {
    for (line, completed) in COMPLETED {
        completes(terminal, line, completed);
    }
    // bash takes the equals sign for a word of its own.
    completes(terminal, "list --format=js", "--format=json");
    completes(terminal, "list --state=lost,dam", "--state=lost,damaged");
}

fn bash(directory: &Path) -> Terminal {
    let rc = directory.join("rc");
    let lines = format!(
        "{SHOW_ARGUMENTS}\n. '{}'\nbind '\"\\C-o\": insert-completions' 'set bell-style none'\nPS1='READY>'\n",
        directory.join("script").display()
    );
    std::fs::write(&rc, lines).expect("a file");
    let line = format!("exec bash --noprofile --rcfile '{}' -i", rc.display());
    let mut terminal = Terminal::start(&line, &[]);
    terminal.shows("READY>");
    terminal
}

#[test]
fn bash_completes_commands_options_and_values() {
    if !has(Capability::Bash) {
        return;
    }
    let directory = completions("bash", "script");
    let mut terminal = bash(directory.path());
    completes_all(&mut terminal);
    // Options before the command change nothing.
    completes(&mut terminal, "--config x list --sin", "--since");
}

#[test]
fn bash_shows_what_can_be_written_below_the_top_level() {
    if !has(Capability::Bash) {
        return;
    }
    let directory = completions("bash", "script");
    let mut terminal = bash(directory.path());
    let all = arguments(&mut terminal, "config ", "\x0f");
    assert_eq!(all[0], "config");
    for word in ["check", "show", "help", "--config"] {
        assert!(all.iter().any(|found| found == word), "{word} in {all:?}");
    }
    assert!(!all.iter().any(|found| found == "status"), "{all:?}");
    let all = arguments(&mut terminal, "list --format ", "\x0f");
    assert_eq!(all, ["list", "--format", "table", "json", "csv"]);
}

#[test]
fn zsh_completes_commands_options_and_values() {
    if !has(Capability::Zsh) {
        return;
    }
    let directory = completions("zsh", "_room-archiver");
    let mut terminal = Terminal::start("exec zsh -f -i", &[("HOME", path(&directory))]);
    let lines = format!(
        "fpath=('{}' $fpath); autoload -U compinit; compinit -u -D; setopt no_beep; {SHOW_ARGUMENTS}; PS1=REA; PS1+=DY\\>\r",
        path(&directory)
    );
    terminal.types(&lines);
    terminal.shows("READY>");
    completes_all(&mut terminal);
}

#[test]
fn fish_completes_commands_options_and_values() {
    if !has(Capability::Fish) {
        return;
    }
    let directory = completions("fish", "script");
    let candidates = |line: &str| {
        let asked = format!(
            "source '{}/script'; complete -C 'room-archiver {line}'",
            path(&directory)
        );
        let done = Command::new("fish")
            .args(["--no-config", "-c", &asked])
            .env("HOME", directory.path())
            .current_dir(directory.path())
            .output()
            .expect("fish");
        assert_eq!(text(&done.stderr), "");
        let lines = text(&done.stdout).lines();
        let words = lines.map(|line| line.split('\t').next().unwrap_or_default().to_owned());
        words.collect::<Vec<_>>()
    };
    for (line, completed) in COMPLETED {
        assert_eq!(candidates(line), [completed], "after '{line}'");
    }
    assert_eq!(candidates("list --format=js"), ["--format=json"]);
    let all = candidates("completions ");
    for shell in ["bash", "zsh", "fish"] {
        assert!(all.iter().any(|found| found == shell), "{shell} in {all:?}");
    }
}
