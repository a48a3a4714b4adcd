//! What a support bundle holds, and who can read it; that it holds no secret shows `canary.rs`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::harness::Setting;
use super::text;

/// The files of a bundle, by name.
fn unpacked(bundle: &Path) -> BTreeMap<String, String> {
    let tar = |options: &[&str]| {
        let done = Command::new("tar").args(options).output().expect("tar");
        assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
        text(&done.stdout).to_owned()
    };
    let bundle = bundle.to_str().expect("text");
    let names = tar(&["-tf", bundle]);
    let content = |name: &str| (name.to_owned(), tar(&["-xOf", bundle, name]));
    names.lines().map(content).collect()
}

#[test]
fn a_bundle_holds_what_a_report_needs_for_its_owner_alone() {
    let setting = Setting::with("[filter]\nexclude_rooms = [\"board meeting\"]\n");
    setting.space.archivable("lesson plan");
    setting.once(0);
    let file = setting.directory.path().join("report.tar");
    let done = setting.run(&["support-bundle", file.to_str().expect("text")]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(text(&done.stdout).contains("look through it before you send it"));
    let mode = file.metadata().expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let files = unpacked(&file);
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    let expected = [
        "README.txt",
        "config.toml",
        "database.txt",
        "doctor.txt",
        "log.txt",
        "status.json",
        "unit.txt",
        "version.txt",
    ];
    assert_eq!(
        names,
        expected.map(|name| format!("room-archiver-support/{name}"))
    );
    let of = |name: &str| &files[&format!("room-archiver-support/{name}")];
    assert!(
        of("version.txt").starts_with("room-archiver 0."),
        "{files:#?}"
    );
    assert!(
        of("config.toml").contains("exclude_rooms = \"(hidden)\""),
        "{files:#?}"
    );
    assert!(
        of("config.toml").contains("stuck_after = \"1day\""),
        "{files:#?}"
    );
    assert!(of("doctor.txt").contains("ok    credentials"), "{files:#?}");
    assert!(
        of("database.txt").contains("recording: 1 rows"),
        "{files:#?}"
    );
    assert!(
        of("database.txt").contains("CREATE VIEW archive"),
        "{files:#?}"
    );
    let status: serde_json::Value = serde_json::from_str(of("status.json")).expect("JSON");
    assert_eq!(status["recordings"]["archived"], 1);
    for (name, content) in &files {
        for hidden in [
            "lesson",
            "board",
            &setting.space.project_id(),
            &setting.space.token(),
        ] {
            assert!(!content.contains(hidden), "{hidden} in {name}: {content}");
        }
    }
}

#[test]
fn an_existing_file_stays_as_it_is() {
    let setting = Setting::archived();
    let file = setting.directory.path().join("report.tar");
    std::fs::write(&file, "mine").expect("a file");
    let done = setting.run(&["support-bundle", file.to_str().expect("text")]);
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("exists already: choose another name"));
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), "mine");
}

#[test]
fn a_configuration_that_is_not_valid_is_reported_too() {
    let setting = Setting::with("[poll]\nsettle = \"soon\"\n");
    let file = setting.directory.path().join("report.tar");
    let done = setting.run(&["support-bundle", file.to_str().expect("text")]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let files = unpacked(&file);
    let config = &files["room-archiver-support/config.toml"];
    assert!(config.contains("poll.settle"), "{config}");
    let status = &files["room-archiver-support/status.json"];
    assert!(
        status.starts_with("could not be collected: the configuration is not valid"),
        "{status}"
    );
}
