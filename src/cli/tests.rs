use clap::CommandFactory as _;

use super::args::Format;
use super::*;
use crate::model::State;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("room-archiver").chain(line.split_whitespace()))
}

const ID: &str = "d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f";

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn config_goes_before_or_after_the_command() {
    for line in [
        "--config /a run",
        "run --config /a",
        "config --config /a check",
        "config check -c /a",
    ] {
        let cli = parse(line).unwrap();
        assert_eq!(cli.config.unwrap().to_str(), Some("/a"), "{line}");
    }
}

#[test]
fn list_takes_states_and_formats() {
    let Command::List(list) =
        parse("list --state pending,lost --state damaged --since 2026-01-01 --format csv")
            .unwrap()
            .command
    else {
        panic!("not the list command");
    };
    assert_eq!(list.state, [State::Pending, State::Lost, State::Damaged]);
    assert_eq!(list.format, Format::Csv);
    assert!(list.since.is_some());
}

#[test]
fn contradictions_and_gaps_are_usage_errors() {
    for line in [
        "",
        "frobnicate",
        "retry",
        &format!("retry --stuck {ID}"),
        &format!("verify --full {ID}"),
        "show",
        "show 4x",
        "show 42 43",
        "list --limit 0",
        "list --session x",
        "list --state gone",
        "list --since yesterday",
        "completions tcl",
    ] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
    for line in [
        "retry --stuck",
        &format!("retry {ID} {ID}"),
        "verify",
        "once --sweep --dry-run",
        "status --json",
        "status --check --quiet",
        "-q show 42 --json",
        "retry 42 43",
        "list --until 2026-01-01T00:00+01:00 --limit 3 --session 42 --wide",
    ] {
        assert!(parse(line).is_ok(), "{line}");
    }
}

#[test]
fn every_command_has_help_and_the_exit_codes_are_listed() {
    let mut command = Cli::command();
    let help = command.render_long_help().to_string();
    for code in 0..=6 {
        assert!(help.contains(&format!("\n  {code}  ")), "{code}");
    }
    for sub in command.get_subcommands() {
        assert!(sub.get_about().is_some(), "{}", sub.get_name());
    }
}

#[test]
fn configuration_errors_mean_exit_code_2() {
    let error = anyhow::Error::from(ConfigErrors(Vec::new())).context("could not start");
    assert_eq!(Exit::of(&error), Exit::Usage);
    assert_eq!(Exit::of(&anyhow::anyhow!("disk on fire")), Exit::Failure);
}
