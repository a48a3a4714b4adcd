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

#[test]
fn no_part_of_a_url_that_is_a_secret_is_in_a_bundle() {
    let mut setting = Setting::with(
        "[telemetry]\nping_url = \"http://s3cret-ping.localhost:9/ping/s3cret-ping?key=s3cret-ping\"\n\
         [copies.offsite]\nurl = \"s3://s3cret-bucket/s3cret-prefix\"\nendpoint = \"https://s3cret-endpoint.localhost:9\"\n\
         region = \"s3cret-region\"\n",
    );
    setting.webhook(
        "ops",
        "https://s3cret-hook.localhost:9/s3cret-hook?key=s3cret-hook",
        "",
    );
    setting.space.archivable("lesson");
    let mut daemon = super::harness::Child::start(
        &setting,
        &[
            ("AWS_ACCESS_KEY_ID", "s3cret-key-id".as_ref()),
            ("AWS_SECRET_ACCESS_KEY", "s3cret-key".as_ref()),
        ],
    );
    daemon.line("started");
    // All of them fail, and say so in the database.
    setting.wait(|setting| {
        setting.count("deliveries WHERE error IS NOT NULL") != "0"
            && setting.count("copy_targets WHERE error IS NOT NULL") != "0"
    });
    daemon.stop();
    let bundle = |name: &str, more: &[&str]| {
        let file = setting.directory.path().join(name);
        let args = [&["support-bundle", file.to_str().expect("text")], more].concat();
        let done = setting.run(&args);
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        unpacked(&file)
    };
    for files in [
        bundle("report.tar", &[]),
        bundle("names.tar", &["--include-room-names"]),
    ] {
        let config = &files["room-archiver-support/config.toml"];
        for line in ["ping_url", "endpoint", "url", "secret_file"] {
            let hidden = format!("\n{line} = \"(hidden)\"\n");
            assert!(config.contains(&hidden), "{line}: {config}");
        }
        let status = &files["room-archiver-support/status.json"];
        let status: serde_json::Value = serde_json::from_str(status).expect("JSON");
        assert_eq!(status["webhooks"][0]["name"], "ops");
        assert_eq!(status["copies"][0]["target"], "offsite");
        for (name, content) in &files {
            assert!(!content.contains("s3cret"), "{name}: {content}");
        }
    }
}
