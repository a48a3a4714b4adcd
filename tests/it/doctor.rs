//! What `doctor` finds, and what it leaves alone.

use std::path::Path;

use chrono::TimeDelta;

use super::harness::disk::{Mount, failing, program};
use super::harness::users::{give, run_as, snapshot};
use super::harness::{Capability, Setting, has};
use super::text;

/// Its exit code and what it printed.
fn doctor(setting: &Setting) -> (Option<i32>, String) {
    let done = setting.run(&["doctor"]);
    assert_eq!(text(&done.stderr), "");
    (done.status.code(), text(&done.stdout).to_owned())
}

/// The mark of the first line of a check.
fn mark<'a>(report: &'a str, check: &str) -> &'a str {
    report
        .lines()
        .find(|line| line.get(6..).is_some_and(|rest| rest.starts_with(check)))
        .unwrap_or_else(|| panic!("no {check} in\n{report}"))[..4]
        .trim()
}

#[test]
fn a_sound_archive_passes_every_check() {
    let setting = Setting::archived();
    let (code, report) = doctor(&setting);
    assert_eq!(code, Some(0), "{report}");
    for check in [
        "configuration",
        "token",
        "credentials",
        "clock",
        "database",
        "project",
        "archive",
        "file system",
        "free space",
        "instance",
        "next poll",
        "next sweep",
        "next verify",
    ] {
        assert_eq!(mark(&report, check), "ok", "{check} in\n{report}");
    }
    assert!(!report.contains(&setting.space.token()));
}

#[test]
fn before_the_first_run_all_is_well_and_nothing_is_made() {
    let setting = Setting::with("");
    let (code, report) = doctor(&setting);
    assert_eq!(code, Some(0), "{report}");
    assert!(report.contains("does not exist yet"), "{report}");
    assert!(!setting.database().exists() && !setting.recordings().exists());
}

#[test]
fn refused_credentials_exit_3_and_the_other_checks_go_on() {
    let setting = Setting::archived();
    setting.space.refuse_credentials(Some(401));
    let (code, report) = doctor(&setting);
    assert_eq!(code, Some(3), "{report}");
    assert_eq!(mark(&report, "credentials"), "FAIL");
    assert_eq!(mark(&report, "archive"), "ok");
    assert!(report.contains("-> make a token"), "{report}");
}

#[test]
fn no_token_and_a_wrong_configuration_exit_2() {
    let setting = Setting::archived();
    let without = |args: &[&str]| {
        let mut command = setting.command();
        let output = command.env_remove("ROOM_ARCHIVER_API_TOKEN").args(args);
        output.output().expect("the program")
    };
    let done = without(&["doctor"]);
    assert_eq!(done.status.code(), Some(2), "{done:?}");
    assert_eq!(mark(text(&done.stdout), "token"), "FAIL");
    assert_eq!(mark(text(&done.stdout), "credentials"), "note");

    let done = without(&["doctor", "--config", "/nonexistent.toml"]);
    assert_eq!(done.status.code(), Some(2), "{done:?}");
}

#[test]
fn a_clock_some_seconds_off_is_noted_and_minutes_off_fail() {
    let setting = Setting::archived();
    setting.space.set_clock_offset(TimeDelta::seconds(30));
    let (code, report) = doctor(&setting);
    assert_eq!((code, mark(&report, "clock")), (Some(0), "note"));
    setting.space.set_clock_offset(TimeDelta::minutes(-10));
    let (code, report) = doctor(&setting);
    assert_eq!((code, mark(&report, "clock")), (Some(1), "FAIL"));
    assert!(report.contains("ahead of the server's"), "{report}");
}

#[test]
fn a_directory_that_is_gone_or_another_archive_fails() {
    let setting = Setting::archived();
    let aside = setting.directory.path().join("aside");
    std::fs::rename(setting.recordings(), &aside).expect("moved");
    let (code, report) = doctor(&setting);
    assert_eq!((code, mark(&report, "archive")), (Some(1), "FAIL"));
    assert!(report.contains("-> mount the disk"), "{report}");
    assert!(!setting.recordings().exists());

    std::fs::rename(&aside, setting.recordings()).expect("moved");
    let marker = setting.recordings().join(".room-archiver");
    std::fs::write(marker, "d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f\n").expect("written");
    let (code, report) = doctor(&setting);
    assert_eq!((code, mark(&report, "archive")), (Some(1), "FAIL"));
    assert!(
        report.contains("is the archive of another database"),
        "{report}"
    );
}

#[test]
fn too_little_space_fails() {
    let mut setting = Setting::archived();
    setting.more = "[archive]\nmin_free_space = \"1000000TiB\"\n".to_owned();
    let (code, report) = doctor(&setting);
    assert_eq!((code, mark(&report, "free space")), (Some(1), "FAIL"));
}

#[test]
fn a_file_that_is_no_database_fails() {
    let setting = Setting::with("");
    std::fs::write(
        setting.database(),
        "not a database, and long enough to be one",
    )
    .expect("file");
    let (code, report) = doctor(&setting);
    assert_eq!((code, mark(&report, "database")), (Some(1), "FAIL"));
}

/// What it printed with faults injected into what it does in the archive.
fn doctor_failing(setting: &Setting, inject: &[&str], paths: &[&Path]) -> (Option<i32>, String) {
    let log = setting.directory.path().join("strace.log");
    let output = program(failing(inject, paths, &log), setting, &["doctor"]).output();
    let output = output.expect("strace is installed");
    let log = std::fs::read_to_string(&log).expect("a log");
    assert!(log.contains("INJECTED"), "{inject:?}: {log}");
    (output.status.code(), text(&output.stdout).to_owned())
}

#[test]
fn the_steps_of_a_landing_are_tried_and_leave_nothing() {
    let setting = Setting::archived();
    for there in [true, false] {
        if !there {
            std::fs::remove_dir(setting.recordings().join(".partial")).expect("a directory");
        }
        let before = names(&setting.recordings());
        let (code, report) = doctor(&setting);
        assert_eq!(
            (code, mark(&report, "file system")),
            (Some(0), "ok"),
            "{report}"
        );
        assert!(report.contains("names may have 255 bytes"), "{report}");
        assert_eq!(names(&setting.recordings()), before);
    }
}

/// What is injected, where, and what comes of it: exit code, mark, and a piece of the report.
type Case<'a> = (&'a [&'a str], &'a [&'a Path], i32, &'a str, &'a str);

#[test]
fn what_the_file_system_cannot_do_is_found_out_and_cleared_up() {
    if !has(Capability::Strace) {
        return;
    }
    let setting = Setting::archived();
    let recordings = setting.recordings();
    let recordings = recordings.as_path();
    let partial = recordings.join(".partial");
    let before = names(recordings);
    let cases: [Case; 8] = [
        (
            &["fchmod:error=EPERM"],
            &[],
            0,
            "note",
            "could not set the mode",
        ),
        (
            &["fsync:error=EINVAL"],
            &[recordings, &partial],
            0,
            "note",
            "could not sync a directory",
        ),
        (
            &["fsync:error=EIO"],
            &[recordings],
            1,
            "FAIL",
            "could not sync a directory",
        ),
        (
            &["fsync:error=EIO:when=1"],
            &[],
            1,
            "FAIL",
            "could not sync a file",
        ),
        (
            &["openat:error=EROFS"],
            &[&partial],
            1,
            "FAIL",
            "mount the file system for writing",
        ),
        (
            &["renameat2:error=EXDEV"],
            &[],
            1,
            "FAIL",
            "unmount what is mounted at '.partial'",
        ),
        (
            &["renameat2:error=EINVAL", "linkat:error=EPERM"],
            &[],
            0,
            "ok",
            "moved without replacing",
        ),
        (
            &["unlinkat:error=EPERM:when=3"],
            &[],
            1,
            "FAIL",
            "could not remove what was made",
        ),
    ];
    for (inject, paths, code, expected, line) in cases {
        let (exit, report) = doctor_failing(&setting, inject, paths);
        assert_eq!(exit, Some(code), "{inject:?}\n{report}");
        let found = mark(&report, "file system");
        assert_eq!(found, expected, "{inject:?}\n{report}");
        assert!(report.contains(line), "{inject:?}\n{report}");
        let left: Vec<_> = names(recordings)
            .into_iter()
            .filter(|name| !before.contains(name))
            .collect();
        if inject[0].starts_with("unlinkat") {
            let name = left[0].split('/').next().expect("a name");
            assert!(report.contains(&format!("remove '{name}")), "{report}");
        } else {
            assert!(left.is_empty(), "{inject:?}: {left:?}");
        }
    }
}

#[test]
fn a_disk_that_takes_names_but_no_bytes_fails_and_is_cleared_up() {
    let setting = Setting::with("");
    let Some(_disk) = Mount::tmpfs(&setting.recordings(), "size=1m") else {
        return;
    };
    setting.space.archivable("lesson");
    setting.once(0);
    // As much as fits.
    _ = std::fs::write(setting.recordings().join("filler"), vec![0; 1 << 20]);
    let before = names(&setting.recordings());
    let (code, report) = doctor(&setting);
    assert_eq!(
        (code, mark(&report, "file system")),
        (Some(1), "FAIL"),
        "{report}"
    );
    assert!(report.contains("could not write to a file"), "{report}");
    assert!(report.contains("-> make room"), "{report}");
    assert_eq!(names(&setting.recordings()), before);
}

#[test]
fn directories_on_another_mount_and_unreadable_ones_are_named() {
    let setting = Setting::archived();
    let room = setting.recordings().join("mounted/room");
    let Some(_mount) = Mount::tmpfs(&room, "size=1m") else {
        return;
    };
    let (code, report) = doctor(&setting);
    assert_eq!(code, Some(1), "{report}");
    let line = "'mounted/room' in the archive is on another file system or mount";
    assert!(report.contains(line), "{report}");
    assert!(report.contains("-> unmount it"), "{report}");

    if !has(Capability::Root) {
        return;
    }
    give(&setting, 65_534);
    let closed = setting.recordings().join("lesson");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    std::fs::set_permissions(&closed, mode).expect("chmod");
    let output = run_as(&setting, 65_534, &["doctor"]);
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{report}");
    let line = "'lesson' in the archive can't be read: Permission denied";
    assert!(report.contains(line), "{report}");
}

#[test]
fn another_users_archive_is_not_written_to_and_it_says_so() {
    if !has(Capability::Root) {
        return;
    }
    let setting = Setting::archived();
    setting.config_file();
    give(&setting, 65_534);
    let before = snapshot(&setting.recordings());
    let (code, report) = doctor(&setting);
    assert_eq!(
        (code, mark(&report, "file system")),
        (Some(0), "note"),
        "{report}"
    );
    assert!(report.contains("belongs to the user 'nobody'"), "{report}");
    assert_eq!(snapshot(&setting.recordings()), before);
}

/// Everything in a directory, hidden or not.
fn names(directory: &Path) -> Vec<String> {
    snapshot(directory)
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}
