//! What `doctor` finds, and what it leaves alone.

use chrono::TimeDelta;
use fake_space::Options;

use super::harness::Setting;
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

fn archived() -> Setting {
    let setting = Setting::new(Options::default());
    setting.space.archivable("lesson");
    assert_eq!(setting.run(&["once"]).status.code(), Some(0));
    setting
}

#[test]
fn a_sound_archive_passes_every_check() {
    let setting = archived();
    let (code, report) = doctor(&setting);
    assert_eq!(code, Some(0), "{report}");
    for check in [
        "configuration",
        "token",
        "credentials",
        "clock",
        "database",
        "archive",
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
    let setting = Setting::new(Options::default());
    let (code, report) = doctor(&setting);
    assert_eq!(code, Some(0), "{report}");
    assert!(report.contains("none yet"), "{report}");
    assert!(!setting.database().exists() && !setting.recordings().exists());
}

#[test]
fn refused_credentials_exit_3_and_the_other_checks_go_on() {
    let setting = archived();
    setting.space.refuse_credentials(Some(401));
    let (code, report) = doctor(&setting);
    assert_eq!(code, Some(3), "{report}");
    assert_eq!(mark(&report, "credentials"), "FAIL");
    assert_eq!(mark(&report, "archive"), "ok");
    assert!(report.contains("-> make a token"), "{report}");
}

#[test]
fn no_token_and_a_wrong_configuration_exit_2() {
    let setting = archived();
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
    let setting = archived();
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
    let setting = archived();
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
    assert!(report.contains("is another archive"), "{report}");
}

#[test]
fn too_little_space_fails() {
    let mut setting = archived();
    setting.more = "[archive]\nmin_free_space = \"1000000TiB\"\n".to_owned();
    let (code, report) = doctor(&setting);
    assert_eq!((code, mark(&report, "free space")), (Some(1), "FAIL"));
}

#[test]
fn a_file_that_is_no_database_fails() {
    let setting = Setting::new(Options::default());
    std::fs::write(
        setting.database(),
        "not a database, and long enough to be one",
    )
    .expect("file");
    let (code, report) = doctor(&setting);
    assert_eq!((code, mark(&report, "database")), (Some(1), "FAIL"));
}
