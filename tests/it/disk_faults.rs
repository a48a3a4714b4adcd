//! A disk that fails: after each fault, injected for real into the real program, every file is whole or fetched again.

use std::path::{Path, PathBuf};
use std::process::Command;

use fake_space::{Action, Rule};
use uuid::Uuid;

use super::harness::disk::{Mount, once_failing};
use super::harness::{BY_ID, Capability, MIB, Setting, content, has, media, names, occupy};

/// An archive that was opened once, and a recording that came then.
pub fn setting() -> (Setting, Uuid) {
    let setting = Setting::with(BY_ID);
    setting.once(0);
    let recording = setting.add_media(&media(3 * MIB));
    (setting, recording)
}

pub fn assert_archived(setting: &Setting, recording: Uuid, fault: &str) {
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
fn a_file_in_its_place_that_cannot_be_opened_for_now_stays_there_and_is_adopted_later() {
    if !has(Capability::Strace) {
        return;
    }
    for comes in ["before the download", "during the transfer"] {
        let (setting, recording) = setting();
        let target = setting.target(recording);
        let room = target.parent().expect("a room").to_owned();
        let before = comes == "before the download";
        if before {
            occupy(&target, content(&media(3 * MIB)));
        } else {
            let target = target.clone();
            let comes = Action::after(move |_| occupy(&target, content(&media(3 * MIB))));
            setting.space.inject(Rule::media(comes));
        }
        // Of what is opened in the room's directory, that is the file.
        let (output, log) = once_failing(&setting, &["openat:error=EMFILE"], &[&room]);
        assert!(log.contains("INJECTED"), "{comes}: {log}");
        assert_eq!(output.status.code(), Some(4), "{comes}: {output:?}");
        assert!(setting.quarantined().is_empty(), "{comes}: {log}");
        let file = std::fs::read(&target).expect("the file");
        assert!(file == content(&media(3 * MIB)), "{comes}");
        setting.due();
        setting.once(0);
        assert_archived(&setting, recording, comes);
        assert!(setting.quarantined().is_empty(), "{comes}");
        let transfers = usize::from(!before);
        assert_eq!(setting.transfers_of(recording), transfers, "{comes}");
    }
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
