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

#[test]
fn a_check_of_all_fails_if_one_is_not_healthy_and_says_which_and_why() {
    let (_setting, directory) = machine();
    let (code, shown) = status(&directory, &["--check"]);
    assert_eq!((code, shown.as_str()), (Some(0), "healthy\n"));

    let other = Setting::archived();
    other.write_sql(
        "UPDATE recording SET state = 'lost', upstream_gone_at = '2026-01-01T00:00:00.000Z', pending_since = NULL",
    );
    std::fs::copy(other.config_file(), directory.path().join("other.toml")).expect("a file");
    // Without a check, that is no failure.
    assert_eq!(status(&directory, &[]).0, Some(0));
    let (code, shown) = status(&directory, &["--check"]);
    assert_eq!(code, Some(1), "{shown}");
    assert!(
        shown.starts_with("not healthy\n  other: attention: 1 recording "),
        "{shown}"
    );
    assert_eq!(shown.lines().count(), 2, "{shown}");
    let (code, json) = status(&directory, &["--check", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((code, &json["healthy"]), (Some(1), &false.into()));
    // Quietly: what is wrong, as an error, and nothing else.
    let mut command = super::binary();
    command
        .arg("--config")
        .arg(directory.path().join("acme.toml"));
    let quiet = command.args(["--quiet", "status", "--all", "--check"]);
    let quiet = quiet.output().expect("the program");
    assert_eq!(quiet.status.code(), Some(1));
    assert_eq!(text(&quiet.stdout), "");
    assert!(text(&quiet.stderr).contains("  other: attention: "));

    std::fs::write(directory.path().join("delta.toml"), "nonsense = [").expect("a file");
    let (code, shown) = status(&directory, &["--check"]);
    assert_eq!(code, Some(1));
    assert!(
        shown.contains("\n  delta: the configuration is not valid"),
        "{shown}"
    );
}
