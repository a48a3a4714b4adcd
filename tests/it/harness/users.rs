//! Other users than the one who runs the tests.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use super::Setting;
use crate::text;

pub const NOBODY: u32 = 65_534;

/// Gives everything of a setting to another user.
pub fn give(setting: &Setting, uid: u32) {
    let done = Command::new("chown")
        .arg("-R")
        .arg(format!("{uid}:{uid}"))
        .arg(setting.directory.path())
        .status();
    assert!(done.expect("chown").success());
}

/// The program as another user runs it.
pub fn command_as(setting: &Setting, uid: u32, args: &[&str]) -> Command {
    setting.config_file();
    // The program itself may lie where nobody else can reach it.
    let file = std::fs::File::open(assert_cmd::cargo::cargo_bin!("room-archiver"));
    let mut command = Command::new("setpriv");
    command
        .args([&format!("--reuid={uid}"), &format!("--regid={uid}")])
        .args(["--clear-groups", "/proc/self/fd/0", "--config"])
        .arg(setting.directory.path().join("config.toml"))
        .args(args)
        .env_clear()
        .env("ROOM_ARCHIVER_API_TOKEN", setting.space.token())
        .stdin(file.expect("the program"));
    command
}

/// The program, run by another user.
pub fn run_as(setting: &Setting, uid: u32, args: &[&str]) -> Output {
    let output = command_as(setting, uid, args).output();
    output.expect("setpriv is part of util-linux")
}

/// Everything below a directory: name, owner, size, and when it was changed.
pub fn snapshot(directory: &Path) -> String {
    let find = Command::new("find")
        .arg(directory)
        .args([OsStr::new("-printf"), OsStr::new("%P %U %s %T@ %C@\n")])
        .output();
    let find = find.expect("find");
    let mut lines: Vec<_> = text(&find.stdout).lines().map(str::to_owned).collect();
    lines.sort();
    lines.join("\n")
}
