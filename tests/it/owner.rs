//! Commands started by another user than the archive's, root above all: refused before they touch anything, with
//! the command that works.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output};

use super::harness::users::{NOBODY, command_as, give, run_as, snapshot};
use super::harness::{Capability, Setting, has};
use super::text;

/// An id that nobody has.
const UNNAMED: u32 = 64_123;
const STRANGER: u32 = 64_124;

/// An archive with a recording, of a user; and another recording, which is not archived yet.
fn archive_of(uid: u32) -> Setting {
    let setting = Setting::with("");
    setting.space.archivable("lesson");
    setting.once(0);
    setting.space.archivable("later");
    setting.config_file();
    give(&setting, uid);
    setting
}

fn writers() -> [Vec<&'static str>; 5] {
    let id = "d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f";
    [
        vec!["once"],
        vec!["once", "--sweep"],
        vec!["verify", "--full"],
        vec!["retry", id],
        vec!["run"],
    ]
}

/// The program without writing its configuration again.
fn root_runs(setting: &Setting, args: &[&str]) -> Output {
    let mut command = super::binary();
    command.env("ROOM_ARCHIVER_API_TOKEN", setting.space.token());
    command
        .arg("--config")
        .arg(setting.directory.path().join("config.toml"));
    command.args(args).output().expect("the program")
}

fn refused(output: &Output, owner: &str) {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let error = text(&output.stderr);
    assert!(error.contains(&format!("belongs to {owner}")), "{error}");
    assert!(error.contains("run this as that user, with: "), "{error}");
}

#[test]
fn root_is_refused_on_another_users_archive_and_touches_nothing() {
    if !has(Capability::Root) {
        return;
    }
    let setting = archive_of(UNNAMED);
    let before = snapshot(setting.directory.path());
    for args in writers() {
        let output = root_runs(&setting, &args);
        refused(&output, &format!("the user with the id {UNNAMED}"));
        let command = format!("setpriv --reuid={UNNAMED} --regid={UNNAMED} --clear-groups ");
        assert!(text(&output.stderr).contains(&command), "{output:?}");
        assert_eq!(snapshot(setting.directory.path()), before, "{args:?}");
    }
    // Reading is no harm, and leaves nothing of root's.
    for args in [
        &["status"][..],
        &["list"],
        &["doctor"],
        &["once", "--dry-run"],
    ] {
        let output = root_runs(&setting, args);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let files = snapshot(setting.directory.path());
        let roots = files
            .lines()
            .filter(|line| line.split(' ').nth(1) == Some("0"));
        assert_eq!(roots.count(), 0, "{args:?}: {files}");
    }
}

#[test]
fn any_part_that_is_another_users_is_enough() {
    if !has(Capability::Root) {
        return;
    }
    for part in ["archive.db", "recordings", "recordings/.room-archiver"] {
        let setting = archive_of(0);
        let part = setting.directory.path().join(part);
        chown(part, Some(UNNAMED), None).expect("chown");
        let before = snapshot(setting.directory.path());
        for args in writers() {
            refused(&root_runs(&setting, &args), "the user with the id");
            assert_eq!(snapshot(setting.directory.path()), before, "{args:?}");
        }
    }
}

#[test]
fn a_new_archive_is_not_made_in_another_users_directory() {
    if !has(Capability::Root) {
        return;
    }
    let setting = Setting::with("");
    setting.space.archivable("lesson");
    setting.config_file();
    give(&setting, UNNAMED);
    let before = snapshot(setting.directory.path());
    for args in [["once"], ["run"]] {
        refused(&root_runs(&setting, &args), "the user with the id");
        assert_eq!(snapshot(setting.directory.path()), before);
    }
}

#[test]
fn the_command_that_is_proposed_works() {
    if !has(Capability::Root) {
        return;
    }
    let setting = archive_of(NOBODY);
    let program = setting.directory.path().join("room-archiver");
    std::fs::copy(assert_cmd::cargo::cargo_bin!("room-archiver"), &program).expect("a copy");
    let run = |command: &mut Command| {
        let token = setting.space.token();
        let environment = [
            ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            ("ROOM_ARCHIVER_API_TOKEN", &token),
        ];
        command
            .env_clear()
            .envs(environment)
            .output()
            .expect("the program")
    };
    let mut once = Command::new(&program);
    once.arg("--config")
        .arg(setting.directory.path().join("config.toml"));
    let output = run(once.arg("once"));
    refused(&output, "the user 'nobody'");
    let error = text(&output.stderr);
    let (_, proposed) = error.trim().rsplit_once("with: ").expect("a command");
    assert!(proposed.starts_with("runuser -u nobody -- "), "{proposed}");
    let output = run(Command::new("sh").arg("-c").arg(proposed));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(setting.count("archive"), "2");
    let owners = snapshot(setting.directory.path());
    let foreign = |line: &&str| line.split(' ').nth(1) == Some("0");
    let foreign: Vec<_> = owners.lines().filter(foreign).collect();
    assert_eq!(
        foreign.len(),
        1,
        "only the copy of the program: {foreign:?}"
    );
}

#[test]
fn a_user_is_refused_on_the_archive_of_another() {
    if !has(Capability::Root) {
        return;
    }
    let setting = archive_of(UNNAMED);
    // The stranger gets as far as the files; even the database could be written to.
    let open = |path: &Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("chmod");
    };
    open(setting.directory.path(), 0o777);
    open(&setting.database(), 0o666);
    let before = |setting: &Setting| {
        let lines = snapshot(setting.directory.path());
        // Neither the directory's own line nor the configuration, which is written each time.
        let rest = lines
            .lines()
            .filter(|line| !line.starts_with("config.toml") && !line.starts_with(' '));
        rest.map(str::to_owned).collect::<Vec<_>>()
    };
    let files = before(&setting);
    for args in writers().iter().take(4) {
        let output = run_as(&setting, STRANGER, args);
        refused(&output, &format!("the user with the id {UNNAMED}"));
        assert_eq!(before(&setting), files, "{args:?}");
    }
}

#[test]
fn who_may_not_read_or_write_gets_one_message_with_the_command_that_works() {
    if !has(Capability::Root) {
        return;
    }
    let setting = archive_of(NOBODY);
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("chmod");
    };
    mode(setting.directory.path(), 0o755);
    mode(&setting.database(), 0o640);
    let readers = [
        &["status"][..],
        &["status", "--check"],
        &["list"],
        &["show", "d3"],
    ];
    for args in readers {
        let output = run_as(&setting, STRANGER, args);
        assert_ne!(output.status.code(), Some(0), "{output:?}");
        let error = text(&output.stderr);
        assert!(
            error.contains("as that user, or as a member of its group, with: sudo -u nobody "),
            "{error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
        assert_eq!(text(&output.stdout), "");
    }
    // Without the token, which only root can read.
    let writers = [
        &["retry", "d3"][..],
        &["verify"],
        &["once"],
        &["once", "--dry-run"],
        &["run"],
    ];
    for args in writers {
        let mut command = command_as(&setting, STRANGER, args);
        let output = command.env_remove("ROOM_ARCHIVER_API_TOKEN").output();
        let output = output.expect("setpriv is part of util-linux");
        refused(&output, "the user 'nobody'");
        let error = text(&output.stderr);
        assert!(error.contains("with: sudo "), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let mut command = command_as(&setting, STRANGER, &["doctor"]);
    let output = command.env_remove("ROOM_ARCHIVER_API_TOKEN").output();
    let output = output.expect("setpriv is part of util-linux");
    let report = text(&output.stdout);
    assert_eq!(
        report
            .matches("run this as the user 'nobody', with: sudo ")
            .count(),
        1,
        "{report}"
    );
}
