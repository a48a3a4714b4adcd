//! `--json` prints one object, whose keys scripts can rely on, and nothing else; `--quiet` prints only errors.

use serde_json::Value;

use super::harness::filled::{ARCHIVED, Filled, recording};
use super::harness::{Setting, occupy};
use super::text;

/// The only thing that a command prints on stdout.
fn object(setting: &Setting, code: i32, args: &[&str]) -> Value {
    let output = setting.run(args);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let object: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert!(object.is_object(), "{object}");
    assert_snake_case(&object);
    object
}

fn assert_snake_case(value: &Value) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.".contains(c);
        assert!(key.chars().all(plain), "{key}");
        // These are not ours.
        if key != "upstream" {
            assert_snake_case(value);
        }
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn once_as_json() {
    let setting = Setting::with("");
    setting.space.archivable("lesson");
    let dry = object(&setting, 0, &["once", "--dry-run", "--json"]);
    assert_eq!(keys(&dry), ["dry_run", "left", "pass", "would_download"]);
    assert_eq!(dry["would_download"]["recordings"], 1);
    assert_eq!(dry["left"][0]["state"], "pending");
    let once = object(&setting, 0, &["once", "--json"]);
    assert_eq!(
        keys(&once),
        [
            "archive",
            "archived",
            "copied",
            "dry_run",
            "left",
            "missing",
            "pass",
            "rebuilt",
            "unlisted_sessions"
        ]
    );
    assert_eq!(once["archived"], 1);
    assert_eq!(once["archive"]["recordings"], 1);
    assert_eq!(once["pass"]["outcome"], "complete");
}

#[test]
fn verify_as_json() {
    let setting = Setting::archived();
    let sound = object(&setting, 0, &["verify", "--json"]);
    assert_eq!(
        keys(&sound),
        [
            "bytes",
            "complete",
            "damaged",
            "evicted",
            "files",
            "not_archived",
            "sidecars",
            "unreadable"
        ]
    );
    assert_eq!(sound["files"], 1);
    assert_eq!(sound["complete"], true);
    let file = setting.files().pop().expect("a file");
    occupy(&file, "other bytes");
    let damaged = object(&setting, 5, &["verify", "--full", "--json"]);
    assert_eq!(damaged["damaged"][0]["damage"], "altered");
}

#[test]
fn show_doctor_and_the_configuration_as_json() {
    let setting = Setting::archived();
    let id = setting.sql("SELECT recording_id FROM archive");
    let show = object(&setting, 0, &["show", &id, "--json"]);
    assert_eq!(
        keys(&show),
        [
            "attempts",
            "concerns",
            "copies",
            "events",
            "recording",
            "session",
            "upstream"
        ]
    );
    assert!(show["recording"]["archived_bytes"].is_u64(), "{show}");
    assert!(
        show["recording"]["damage"].is_null(),
        "absent values are null"
    );
    assert_eq!(show["attempts"][0]["outcome"], "archived");
    let doctor = object(&setting, 0, &["doctor", "--json"]);
    assert_eq!(doctor["ok"], true);
    let checks = doctor["checks"].as_array().expect("a list");
    assert!(
        checks.iter().any(|check| check["check"] == "next_poll"),
        "{doctor}"
    );
    assert!(
        checks.iter().all(|check| check["result"] != "failed"),
        "{doctor}"
    );
    let config = object(&setting, 0, &["config", "show", "--json"]);
    assert_eq!(keys(&config), ["file", "origins", "settings", "token"]);
    assert_eq!(config["settings"]["download"]["order"], "oldest_first");
    let printed = config.to_string();
    assert!(
        !printed.contains(&*setting.space.token()),
        "the token is not shown"
    );
}

#[test]
fn show_leaves_out_no_key() {
    let filled = Filled::with_every_state();
    let archived = filled.json(&["show", &recording(ARCHIVED).to_string(), "--json"]);
    let skipped = filled.json(&["show", "aa", "--json"]);
    assert_eq!(keys(&archived["recording"]), keys(&skipped["recording"]));
}

#[test]
fn a_quiet_command_prints_only_errors() {
    let setting = Setting::with("");
    setting.space.archivable("lesson");
    for args in [
        &["once", "--quiet"][..],
        &["-q", "verify", "--full"],
        &["status", "--quiet"],
        &["list", "--quiet"],
        &["doctor", "--quiet"],
        &["config", "check", "--quiet"],
        &["retry", "--stuck", "--quiet"],
    ] {
        let output = setting.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        assert_eq!(
            (text(&output.stdout), text(&output.stderr)),
            ("", ""),
            "{args:?}"
        );
    }
    let file = setting.files().pop().expect("a file");
    occupy(&file, "other bytes");
    let output = setting.run(&["verify", "--full", "--quiet"]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert_eq!(text(&output.stdout), "");
    assert!(text(&output.stderr).starts_with("altered: "), "{output:?}");
    let output = setting.run(&["show", "ffff", "--quiet"]);
    assert!(
        text(&output.stderr).starts_with("error: no recording is known"),
        "{output:?}"
    );
}
