//! A disk that fails, links and other things in the archive, names that want out of it: injected for real
//! into the real program, and what has to come of each.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use fake_space::{Action, Rule};
use uuid::Uuid;

use super::harness::disk::{Mount, once_failing};
use super::harness::{BY_ID, Capability, MIB, Setting, content, has, media, names, occupy};

/// An archive that was opened once, and a recording that came then.
fn setting() -> (Setting, Uuid) {
    let setting = Setting::with(BY_ID);
    setting.once(0);
    let recording = setting.add_media(&media(3 * MIB));
    (setting, recording)
}

fn assert_archived(setting: &Setting, recording: Uuid, fault: &str) {
    assert_eq!(
        setting.sql("SELECT sha256 FROM archive"),
        media(3 * MIB).sha256(),
        "{fault}"
    );
    let file = std::fs::read(setting.target(recording)).expect("the file");
    assert!(file == content(&media(3 * MIB)), "{fault}");
    let parts = setting.parts();
    assert!(parts.is_empty(), "{fault}: {parts:?}");
}

#[test]
fn after_a_failed_write_or_sync_the_part_is_discarded_never_synced_again_and_fetched_from_zero() {
    if !has(Capability::Strace) {
        return;
    }
    let cases = [
        ("write:error=EIO:when=1", "part"),
        ("fdatasync:error=EIO:when=1", "cut part"),
        ("fsync:error=EIO:when=1", "part"),
        ("fsync:error=EIO:when=1", "lesson"),
        ("fsync:error=EIO:when=1", ".partial"),
        ("fsync:error=EIO:when=1", ""),
    ];
    for (inject, path) in cases {
        let (setting, recording) = setting();
        if path == "cut part" {
            let cut = Rule::media(Action::CloseAfter(2 * MIB));
            setting.space.inject(cut.once());
        }
        let path = match path {
            "part" | "cut part" => setting.part(recording),
            directory => setting.recordings().join(directory),
        };
        // The directory of a room that had recordings before.
        std::fs::create_dir_all(setting.recordings().join("lesson")).expect("a directory");
        let path = path.components().collect::<PathBuf>();
        let calls = [inject, "write", "fdatasync", "fsync"];
        let (output, log) = once_failing(&setting, &calls, &[&path]);
        // It fires once for each thread that meets it.
        let fired = log.matches("INJECTED").count();
        let fault = format!("{inject} on {}: {output:?}\n{log}", path.display());
        assert_eq!(output.status.code(), Some(0), "{fault}");
        assert_archived(&setting, recording, &fault);
        assert_eq!(
            setting.sql("SELECT outcome, from_byte FROM attempts ORDER BY attempt"),
            "retry|0\n".repeat(fired) + "archived|0",
            "{fault}"
        );
        let requests = setting.media_requests();
        assert_eq!(requests.len(), fired + 1, "{fault}");
        let from_zero = requests.iter().all(|seen| seen.range.is_none());
        assert!(from_zero, "{fault}");
        assert!(setting.quarantined().is_empty());
        assert!(fired > 0, "{fault}");
        // After it, the next that happens to a part is that another one is written.
        let lines: Vec<_> = log.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[0].contains("INJECTED")) {
            let again = pair[1].contains(".part>") && !pair[1].contains(" write(");
            assert!(!again, "{fault}");
        }
    }
}

#[test]
fn a_file_found_in_its_place_that_cannot_be_made_durable_is_put_aside_not_trusted() {
    if !has(Capability::Strace) {
        return;
    }
    let (setting, recording) = setting();
    let target = setting.target(recording);
    occupy(&target, content(&media(3 * MIB)));
    let (output, log) = once_failing(&setting, &["fsync:error=EIO:when=1"], &[&target]);
    assert!(log.contains("INJECTED"), "{log}");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_archived(&setting, recording, "not durable");
    assert_eq!(setting.sql("SELECT outcome FROM attempts"), "archived");
    let event = setting.sql("SELECT text FROM events WHERE kind = 'quarantine'");
    assert!(event.contains("could not be made durable"), "{event}");
    assert_eq!(setting.quarantined().len(), 1);
}

#[test]
fn an_archived_file_that_can_no_longer_be_read_is_put_aside_and_fetched_again() {
    if !has(Capability::Strace) {
        return;
    }
    let (setting, recording) = setting();
    setting.once(0);
    let target = setting.target(recording);
    let log = setting.directory.path().join("strace.log");
    let bad_sector = ["read:error=EIO"];
    let verify = super::harness::disk::failing(&bad_sector, &[&target], &log);
    let verified = super::harness::disk::program(verify, &setting, &["verify", "--full"]).output();
    let verified = verified.expect("the program");
    assert_eq!(verified.status.code(), Some(5), "{verified:?}");
    assert_eq!(setting.sql("SELECT state FROM queue"), "damaged");
    let (output, _) = once_failing(&setting, &bad_sector, &[&target]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_archived(&setting, recording, "unreadable");
    let quarantined = setting.quarantined();
    assert_eq!(quarantined, [format!("{recording}.mp4.unreadable")]);
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(0));
}

#[test]
fn where_a_rename_cannot_refuse_to_replace_a_link_does_it() {
    if !has(Capability::Strace) {
        return;
    }
    let setting = Setting::with(BY_ID);
    let recording = setting.add_media(&media(3 * MIB));
    let target = setting.target(recording);
    occupy(&target, "somebody's notes");
    let calls = ["renameat2:error=EINVAL", "linkat"];
    let (output, log) = once_failing(&setting, &calls, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_archived(&setting, recording, "no rename");
    // The marker, what stood there, and the recording.
    let refused = log.matches("INJECTED").count();
    assert!(refused >= 3, "{log}");
    assert_eq!(log.matches("linkat(").count(), refused, "{log}");
    let quarantine = setting.recordings().join(".quarantine");
    let notes = quarantine.join(&names(&quarantine)[0]);
    assert_eq!(std::fs::read(notes).expect("a file"), b"somebody's notes");
}

#[test]
fn a_place_that_may_not_be_written_to_puts_off_its_recording_alone_and_nothing_is_fetched_twice() {
    let mut setting = Setting::with(BY_ID);
    setting.more += "[download]\nconcurrency = 1\n";
    let Some(_disk) = Mount::ext4(&setting.recordings(), 32) else {
        return;
    };
    let recording = setting.add_media(&media(3 * MIB));
    let change = |flag: &str, path: &Path| {
        let done = Command::new("chattr").arg(flag).arg(path).output();
        assert!(done.is_ok_and(|done| done.status.success()));
    };
    let room = setting.recordings().join("lesson");
    std::fs::create_dir_all(&room).expect("a directory");
    change("+i", &room);
    setting.space.archivable("other");
    setting.once(4);
    assert_eq!(setting.count("archive"), "1");
    let left = setting.sql("SELECT state, attempts, last_error FROM queue");
    assert!(
        left.starts_with("pending|") && left.contains("no permission to put a file into 'lesson'"),
        "{left}"
    );
    change("-i", &room);
    // Nothing may be taken out of the directory of the parts: it can't land, and is kept.
    let partial = setting.recordings().join(".partial");
    for flag in ["+a", "-a"] {
        setting.due();
        change(flag, &partial);
        let code = if flag == "+a" { 4 } else { 0 };
        let output = setting.run(&["once"]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
    }
    let file = std::fs::read(setting.target(recording)).expect("the file");
    assert!(file == content(&media(3 * MIB)));
    assert_eq!(setting.media_requests().len(), 2, "one for each recording");
}

#[test]
fn an_archive_that_is_not_mounted_is_refused_and_its_mount_point_stays_empty() {
    let setting = Setting::with("");
    let recordings = setting.recordings();
    let Some(disk) = Mount::tmpfs(&recordings, "size=8m") else {
        return;
    };
    setting.space.archivable("lesson");
    setting.once(0);
    drop(disk);
    setting.space.archivable("lesson");
    for command in ["once", "run"] {
        let output = setting.run(&[command]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let error = super::text(&output.stderr);
        assert!(error.contains("Is the disk mounted?"), "{error}");
        assert!(names(&recordings).is_empty());
    }
    std::fs::remove_dir(&recordings).expect("the mount point");
    setting.once(1);
    assert!(
        !recordings.exists(),
        "no directory is made where a disk should be"
    );
}

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
