//! `status --all`: every project on a machine at a glance.

use super::harness::Setting;
use super::text;

/// Two instances that have archived something and one that was never started, in one directory; the sample beside them.
fn machine() -> (Setting, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let setting = Setting::archived();
    let file = std::fs::read_to_string(setting.config_file()).expect("a file");
    let put = |name: &str, content: &str| {
        std::fs::write(directory.path().join(name), content).expect("a file");
    };
    put("acme.toml", &file);
    put("beta.toml", &file);
    put("notes.txt", "no configuration");
    put("config.toml", include_str!("../../config/config.toml"));
    (setting, directory)
}

fn status(directory: &tempfile::TempDir, args: &[&str]) -> (Option<i32>, String) {
    let mut command = super::binary();
    command
        .arg("--config")
        .arg(directory.path().join("acme.toml"));
    let done = command
        .args(["status", "--all"])
        .args(args)
        .output()
        .expect("the program");
    (done.status.code(), text(&done.stdout).to_owned())
}

#[test]
fn all_instances_are_shown_a_line_each_and_the_untouched_sample_is_left_out() {
    let (_setting, directory) = machine();
    let (code, shown) = status(&directory, &[]);
    assert_eq!(code, Some(0), "{shown}");
    let lines: Vec<_> = shown.lines().collect();
    assert!(
        lines[0].starts_with("INSTANCE  HEALTHY  RUNNING  ARCHIVED"),
        "{shown}"
    );
    assert!(
        lines[1].starts_with("acme      yes      no              1"),
        "{shown}"
    );
    assert!(
        lines[2].starts_with("beta      yes      no              1"),
        "{shown}"
    );
    assert_eq!(lines.len(), 3, "{shown}");
    let (code, json) = status(&directory, &["--json"]);
    assert_eq!(code, Some(0));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["healthy"], true);
    assert_eq!(json["instances"][1]["name"], "beta");
    assert_eq!(json["instances"][1]["status"]["recordings"]["archived"], 1);
}

#[test]
fn an_instance_whose_state_cannot_be_read_is_named_and_hides_no_other() {
    let (_setting, directory) = machine();
    // Without paths of its own, it has those of the template unit.
    let content =
        "[signalwire]\nspace = \"gamma\"\nproject_id = \"7d5b7f9c-2b1e-4c7d-9a52-1f00fa4e0001\"\n";
    std::fs::write(directory.path().join("gamma-none.toml"), content).expect("a file");
    std::fs::write(directory.path().join("delta.toml"), "nonsense = [").expect("a file");
    let (code, shown) = status(&directory, &[]);
    assert_eq!(code, Some(1), "{shown}");
    assert!(
        shown.contains("/var/lib/room-archiver/gamma-none/archive.db"),
        "{shown}"
    );
    assert!(
        shown.contains("\ndelta: the configuration is not valid"),
        "{shown}"
    );
    assert!(shown.contains("\nacme        yes"), "{shown}");
}
