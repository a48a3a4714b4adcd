//! Neither links in the archive nor names from outside lead out of it, and what is printed of them is harmless.

use std::os::unix::fs::symlink;

use fake_space::{Action, Rule};

use super::disk_faults::{assert_archived, setting};
use super::harness::{Setting, names, occupy};

#[test]
fn links_in_the_archive_lead_nowhere() {
    for kind in [
        "parts",
        "part",
        "second name",
        "quarantine",
        "marker",
        "file",
    ] {
        let (mut setting, recording) = setting();
        setting.more += "[download]\nretry_initial = \"10m\"";
        let outside = setting.directory.path().join("outside");
        std::fs::create_dir(&outside).expect("a directory");
        let precious = outside.join("precious");
        std::fs::write(&precious, "precious").expect("a file");
        let recordings = setting.recordings();
        let target = setting.target(recording);
        let part = setting.part(recording);
        let mut code = 4;
        if kind == "part" || kind == "second name" {
            // It gives way to a fresh one.
            code = 0;
            // It is known, and waits for its next attempt.
            setting.space.inject(Rule::media(Action::error(500)).once());
            setting.once(4);
            _ = std::fs::remove_file(&part);
            setting.due();
        }
        match kind {
            "parts" => {
                std::fs::remove_dir(recordings.join(".partial")).expect("a directory");
                symlink(&outside, recordings.join(".partial")).expect("a link");
            }
            "part" => symlink(&precious, &part).expect("a link"),
            "second name" => std::fs::hard_link(&precious, &part).expect("a link"),
            "quarantine" => {
                symlink(&outside, recordings.join(".quarantine")).expect("a link");
                occupy(&target, "notes");
            }
            "marker" => {
                let marker = recordings.join(".room-archiver");
                std::fs::rename(&marker, outside.join("marker")).expect("the marker");
                symlink(outside.join("marker"), marker).expect("a link");
                code = 1;
            }
            _ => {
                setting.once(0);
                std::fs::rename(&target, outside.join("copy")).expect("the file");
                symlink(outside.join("copy"), &target).expect("a link");
                assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(5));
                code = 0;
            }
        }
        let before = names(&outside);
        let output = setting.run(&["once"]);
        assert_eq!(output.status.code(), Some(code), "{kind}: {output:?}");
        assert_eq!(names(&outside), before, "{kind}");
        assert_eq!(
            std::fs::read(&precious).expect("a file"),
            b"precious",
            "{kind}"
        );
        match kind {
            "file" | "part" | "second name" => assert_archived(&setting, recording, kind),
            _ => assert_eq!(setting.count("archive"), "0", "{kind}"),
        }
    }
}

#[test]
fn hostile_room_names_become_safe_unique_readable_files_and_harmless_text() {
    let long = "x".repeat(300);
    let longer = "会".repeat(300);
    let rooms = [
        "../../../etc/cron.d/evil",
        "/etc/passwd",
        "a/../../b",
        "..",
        ".",
        "....",
        "",
        " ",
        "nul\0byte",
        "bell\x07tab\tline\nreturn\r<0>forged",
        "\x1b[2J\x1b]0;owned\x07",
        "\u{202e}4pm.exe",
        "zero\u{200b}width",
        &long,
        &longer,
        "日本語の会議",
        "урок",
        "درس",
        "Lesson",
        "lesson",
        "LESSON",
        "\u{e9}t\u{e9}",
        "e\u{301}te\u{301}",
        "CON",
        "nul.txt",
        ".hidden",
        "-rf",
        "~root",
        "$(reboot)",
        "a\\b:c*d?e\"f<g>h|i",
        "trailing. ",
        "{{ room }}",
    ];
    let setting = Setting::with("");
    let before = names(setting.directory.path());
    for room in rooms {
        setting.space.archivable(room);
    }
    let output = setting.once(0);
    let mut printed = vec![output.stdout, output.stderr];
    for command in [
        &["list"][..],
        &["status"],
        &["verify", "--full"],
        &["list", "--format", "csv"],
    ] {
        let output = setting.run(command);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        // CSV is for programs: quoted, not escaped.
        if command.len() < 3 {
            printed.extend([output.stdout, output.stderr]);
        }
    }
    for bytes in printed {
        let harmful = |c: char| c.is_control() && c != '\n' || "\u{202e}\u{200b}".contains(c);
        let text = super::text(&bytes);
        assert!(!text.contains(harmful), "{text:?}");
        assert!(!text.contains("\n<0>forged"), "{text:?}");
    }
    let paths = setting.sql("SELECT path FROM archive");
    let mut folded: Vec<String> = paths.lines().map(str::to_lowercase).collect();
    assert_eq!(folded.len(), rooms.len());
    folded.sort();
    folded.dedup();
    assert_eq!(
        folded.len(),
        rooms.len(),
        "unique even where case does not count"
    );
    for path in paths.lines() {
        let sane = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.len() <= 255
                && !part.chars().any(char::is_control)
        };
        assert!(path.split('/').all(sane), "{path:?}");
        assert!(setting.recordings().join(path).is_file(), "{path:?}");
    }
    assert_eq!(setting.files().len(), rooms.len());
    for readable in ["日本語の会議/", "урок/", "Lesson/", "lesson/", "été/"] {
        assert!(paths.contains(readable), "{paths}");
    }
    // Nothing came to be beside the archive.
    let made = names(setting.directory.path());
    let made: Vec<_> = made.iter().filter(|name| !before.contains(name)).collect();
    let ours = |name: &&String| {
        name.starts_with("archive.db") || *name == "recordings" || *name == "config.toml"
    };
    assert!(made.iter().all(ours), "{made:?}");
}
