//! The commands that need neither network nor archive, through the real binary.

use std::fs;
use std::io;
use std::process::Stdio;

use crate::{binary, text};

const CONFIG: &str = "[signalwire]\nspace = \"example\"\nproject_id = \"7d5b7f9c-2b1e-4c7d-9a52-1f00fa4e0001\"\n[poll]\nsettle = \"2h\"\n";

#[test]
fn config_show_tells_origins_and_hides_the_token() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    fs::write(&path, CONFIG).unwrap();
    let done = binary()
        .args(["config", "show", "--config"])
        .arg(&path)
        .env("ROOM_ARCHIVER__DOWNLOAD__CONCURRENCY", "2")
        .env("ROOM_ARCHIVER_API_TOKEN", "PT5ecret")
        .assert()
        .code(0);
    let shown = text(&done.get_output().stdout);
    assert!(
        shown.contains(&format!("settle = \"2h\"  # {}", path.display())),
        "{shown}"
    );
    assert!(
        shown.contains(
            "concurrency = 2  # environment variable ROOM_ARCHIVER__DOWNLOAD__CONCURRENCY"
        ),
        "{shown}"
    );
    assert!(shown.contains("min_free_space = \"2GiB\"\n"), "{shown}");
    assert!(
        shown.contains("# API token: set, from the environment variable"),
        "{shown}"
    );
    assert!(!shown.contains("PT5ecret"));

    // What is shown is a configuration: loaded again it is the same.
    let again = dir.path().join("again.toml");
    fs::write(&again, shown).unwrap();
    let second = binary()
        .args(["config", "show"])
        .env("ROOM_ARCHIVER_CONFIG", &again)
        .assert()
        .code(0);
    let settings = |shown: &str| {
        let lines = shown
            .lines()
            .map(|line| line.split("  # ").next().unwrap_or_default().to_owned());
        lines
            .filter(|line| !line.starts_with('#'))
            .collect::<Vec<_>>()
    };
    assert_eq!(settings(text(&second.get_output().stdout)), settings(shown));
}

#[test]
fn config_check_lists_every_problem_and_exits_2() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    fs::write(
        &path,
        "[signalwire]\nspace = \"example\"\n[pol]\nsettle = \"2h\"\n",
    )
    .unwrap();
    let done = binary()
        .arg("--config")
        .arg(&path)
        .args(["config", "check"])
        .assert()
        .code(2);
    let errors = text(&done.get_output().stderr);
    assert!(
        errors.starts_with("error: the configuration has 2 problems:\n  "),
        "{errors}"
    );
    assert!(
        errors.contains("signalwire.project_id: not set"),
        "{errors}"
    );
    assert!(errors.contains("did you mean poll?"), "{errors}");

    fs::write(&path, CONFIG).unwrap();
    binary()
        .arg("--config")
        .arg(&path)
        .args(["config", "check"])
        .assert()
        .code(0);
    binary()
        .args(["config", "check", "--config"])
        .arg(&path)
        .env("ROOM_ARCHIVER_API_TOKEN", "two words")
        .assert()
        .code(2);
}

#[test]
fn usage_errors_exit_2_and_help_exits_0() {
    binary().arg("frobnicate").assert().code(2);
    binary().assert().code(2);
    binary().arg("--help").assert().code(0);
    binary().arg("--version").assert().code(0);
}

#[test]
fn the_version_tells_commit_and_build_profile() {
    let done = binary().arg("--version").assert().code(0);
    let shown = text(&done.get_output().stdout).trim();
    let version = concat!("room-archiver ", env!("CARGO_PKG_VERSION"), " (");
    let (commit, profile) = shown
        .strip_prefix(version)
        .and_then(|rest| rest.strip_suffix(')')?.split_once(", "))
        .expect(shown);
    let profile_here = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    assert_eq!(profile, profile_here);
    let hash = commit.strip_suffix("-modified").unwrap_or(commit);
    let is_hash = hash.len() >= 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(is_hash || commit == "unknown commit", "{shown}");
}

#[test]
fn a_closed_stdout_is_a_quiet_end() {
    for arguments in [["completions", "bash"], ["completions", "--help"]] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = std::process::Command::new(assert_cmd::cargo::cargo_bin!("room-archiver"))
            .args(arguments)
            .env_clear()
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(text(&output.stderr), "");
    }
}
