//! The manual pages: there is one for each command, they say what `--help` and the documentation say, and `man` has
//! nothing to complain about.

use std::collections::BTreeMap;
use std::process::Command;

use crate::harness::{Capability, has};
use crate::{binary, text};

const CONFIGURATION: &str = include_str!("../../docs/configuration.md");

/// The pages as the program writes them, by file name.
fn pages() -> BTreeMap<String, String> {
    let directory = tempfile::tempdir().expect("a directory");
    let man = directory.path().join("share/man");
    binary().arg("man").arg(&man).assert().code(0).stdout("");
    let entries = std::fs::read_dir(&man).expect("the directory it made");
    let read = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        (
            name.into_owned(),
            std::fs::read_to_string(&path).expect("text"),
        )
    });
    read.collect()
}

/// What `--help` says about a command.
fn help(command: &[String]) -> String {
    let shown = binary().args(command).arg("--help").output();
    text(&shown.expect("the program").stdout).to_owned()
}

/// The first words of the lines below a heading of `--help`.
fn below<'a>(help: &'a str, heading: &str) -> Vec<&'a str> {
    let section = help.split(&format!("\n{heading}:\n")).nth(1);
    let section = section.unwrap_or_default().split("\n\n").next();
    let lines = section.unwrap_or_default().lines();
    lines
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|word| !word.is_empty())
        .collect()
}

/// Checks the page of a command and of those below it; returns how many there are.
fn check(command: &[String], pages: &BTreeMap<String, String>) -> usize {
    let name = [&["room-archiver".to_owned()], command].concat().join("-") + ".1";
    let page = pages
        .get(&name)
        .unwrap_or_else(|| panic!("there is no {name}"));
    let help = help(command);
    for option in help.split(|c: char| !(c == '-' || c.is_alphanumeric())) {
        if option.starts_with("--") && option.len() > 2 {
            let written = option.replace('-', "\\-");
            assert!(page.contains(&written), "{name} has no {option}");
        }
    }
    let codes = help.contains("\nExit codes:");
    assert_eq!(page.contains(".SH \"EXIT STATUS\"\n"), codes, "{name}");
    let commands = below(&help, "Commands");
    let commands = commands.into_iter().filter(|word| *word != "help");
    1 + commands
        .map(|word| check(&[command, &[word.to_owned()]].concat(), pages))
        .sum::<usize>()
}

#[test]
fn every_command_has_a_manual_page_with_its_options() {
    let pages = pages();
    let checked = check(&[], &pages);
    assert!(checked > 10, "only {checked} commands were found");
    // The hidden command itself has none.
    assert_eq!(pages.len(), checked + 1, "{:?}", pages.keys());
}

#[test]
fn the_manual_page_of_the_configuration_is_the_documentation() {
    let page = &pages()["room-archiver.toml.5"];
    let mut keys = 0;
    for row in CONFIGURATION.lines() {
        let Some((key, rest)) = row.strip_prefix("| `").and_then(|row| row.split_once('`')) else {
            continue;
        };
        keys += 1;
        let default = rest.strip_prefix(" | `").map(|rest| rest.split('`').next());
        let term = match default {
            Some(Some(default)) if key.contains('.') => {
                format!("\n\\fB{key}\\fR [default: {default}]\n")
            }
            _ => format!("\n\\fB{key}\\fR"),
        };
        assert!(page.contains(&term.replace('-', "\\-")), "{term}");
    }
    assert!(keys > 35, "only {keys} rows were found");
    for heading in CONFIGURATION
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
    {
        assert!(page.to_lowercase().contains(&heading.to_lowercase()));
    }
    for markdown in ["](", "**", "```", "\n|", "\n#", "`"] {
        assert!(!page.contains(markdown), "{markdown} is left");
    }
}

#[test]
fn man_renders_every_page_without_a_warning() {
    if !has(Capability::Man) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let man = directory.path();
    binary().arg("man").arg(man).assert().code(0);
    for name in pages().keys() {
        let mut rendering = Command::new("man");
        rendering
            .args(["--warnings", "--encoding=UTF-8", "--local-file"])
            .arg(man.join(name));
        // With a width that does not fit, the pages would be to blame for it.
        let shown = rendering.env("MANWIDTH", "80").env("LC_ALL", "C.UTF-8");
        let shown = shown.output().expect("man");
        assert!(shown.status.success(), "{name}: {shown:?}");
        assert_eq!(text(&shown.stderr), "", "{name}");
        assert!(text(&shown.stdout).contains("SEE ALSO"), "{name}");
    }
}
