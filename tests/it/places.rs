//! Places in the archive that can't be used, and file systems that can't do everything: what belongs there is put
//! off or done as well as it can be, and the rest goes on.

use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use fake_space::{NewRecording, NewSession};
use uuid::Uuid;

use super::harness::disk::{Mount, once_failing};
use super::harness::users::{NOBODY, give, run_as};
use super::harness::{BY_ID, Capability, Setting, collect, has, media, occupy};
use super::text;

fn add(setting: &Setting, room: &str) -> Uuid {
    let session = setting.space.add_session(NewSession::completed(room));
    let media = media(100_000);
    let recording = NewRecording::completed(media);
    setting.space.add_recording(session, recording)
}

/// Paths consist of the room and the id alone, and downloads come one after another.
fn one_by_id() -> String {
    format!("{BY_ID}[download]\nconcurrency = 1\n")
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("chmod");
}

#[test]
fn a_directory_that_cannot_be_read_puts_off_what_belongs_there_and_its_files_are_not_missing() {
    if !has(Capability::Root) {
        return;
    }
    let setting = Setting::with(&one_by_id());
    let kept = [add(&setting, "closed"), add(&setting, "closed/inner")];
    let gone = add(&setting, "open");
    give(&setting, NOBODY);
    let once = |code| {
        setting.due();
        // As after a crash: disk and rows are compared.
        setting.write_sql("DELETE FROM meta WHERE name = 'clean_stop'");
        let output = run_as(&setting, NOBODY, &["once"]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        text(&output.stderr).to_owned()
    };
    assert_eq!(run_as(&setting, NOBODY, &["once"]).status.code(), Some(0));
    assert_eq!(setting.count("archive"), "3");

    let closed = setting.recordings().join("closed");
    // Nothing of it can be seen; names can, but nothing behind them; nothing can be put there.
    for bits in [0o000, 0o600, 0o300] {
        mode(&closed, bits);
        std::fs::remove_file(setting.recordings().join(format!("open/{gone}.mp4"))).expect("it");
        let told = once(0);
        assert_eq!(told.matches("could not read 'closed'").count(), 1, "{told}");
        assert_eq!(setting.count("archive"), "3");
        let damage = setting.sql("SELECT DISTINCT recording_id FROM events WHERE kind = 'damage'");
        assert_eq!(damage, gone.to_string());
        assert_eq!(setting.transfers_of(kept[0]), 1);

        let verified = run_as(&setting, NOBODY, &["verify", "--full"]);
        assert_eq!(verified.status.code(), Some(1), "{verified:?}");
        let line = format!("could not be read: closed/{}.mp4 (recording", kept[0]);
        assert!(text(&verified.stdout).contains(&line), "{verified:?}");
        assert_eq!(setting.count("archive"), "3");
    }

    mode(&closed, 0o000);
    let new = add(&setting, "closed");
    let other = add(&setting, "open");
    let told = once(4);
    assert!(
        told.contains("a download failed and is tried again"),
        "{told}"
    );
    let left = setting.sql("SELECT recording_id, state, last_error FROM queue");
    assert!(left.starts_with(&format!("{new}|pending|")), "{left}");
    assert!(
        left.contains("closed") && left.contains("Permission denied"),
        "{left}"
    );
    assert_eq!(setting.transfers_of(new), 0);
    assert_eq!(setting.transfers_of(other), 1);

    // What was not looked at is looked at as soon as it can be, though the last end was in order.
    mode(&closed, 0o750);
    std::fs::remove_file(closed.join(format!("{}.mp4", kept[0]))).expect("it");
    setting.due();
    let output = run_as(&setting, NOBODY, &["once"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(setting.count("archive"), "5");
    assert_eq!(setting.transfers_of(kept[0]), 2);
    assert_eq!(
        run_as(&setting, NOBODY, &["verify", "--full"])
            .status
            .code(),
        Some(0)
    );
}

#[test]
fn another_users_part_gives_way_or_puts_off_its_recording_alone() {
    if !has(Capability::Root) {
        return;
    }
    let setting = Setting::with(&one_by_id());
    let Some(_disk) = Mount::ext4(&setting.recordings(), 32) else {
        return;
    };
    give(&setting, NOBODY);
    assert_eq!(run_as(&setting, NOBODY, &["once"]).status.code(), Some(0));
    let partial = setting.recordings().join(".partial");
    // Not even made yet where nothing was ever downloaded.
    std::fs::create_dir_all(&partial).expect("a directory");
    chown(&partial, Some(NOBODY), Some(NOBODY)).expect("chown");
    let part = |recording: Uuid| partial.join(format!("{recording}.part"));
    for bits in [0o600, 0o666] {
        let recording = add(&setting, "lesson");
        std::fs::write(part(recording), "root's").expect("a file");
        mode(&part(recording), bits);
        let output = run_as(&setting, NOBODY, &["once"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let file = setting.recordings().join(format!("lesson/{recording}.mp4"));
        let owner = std::os::unix::fs::MetadataExt::uid(&file.metadata().expect("it"));
        assert_eq!(owner, NOBODY);
    }

    let (stuck, other) = (add(&setting, "lesson"), add(&setting, "other"));
    std::fs::write(part(stuck), "nobody's to remove").expect("a file");
    let change = |flag: &str| {
        let done = Command::new("chattr").arg(flag).arg(part(stuck)).status();
        assert!(done.expect("e2fsprogs").success());
    };
    change("+i");
    let output = run_as(&setting, NOBODY, &["once"]);
    change("-i");
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let left = setting.sql("SELECT recording_id, last_error FROM queue");
    let expected = format!("{stuck}|could not replace '.partial/{stuck}.part'");
    assert!(left.starts_with(&expected), "{left}");
    assert_eq!(setting.transfers_of(stuck), 0);
    assert_eq!(setting.transfers_of(other), 1);
    setting.due();
    assert_eq!(run_as(&setting, NOBODY, &["once"]).status.code(), Some(0));
    assert_eq!(setting.count("archive"), "4");
}

#[test]
fn a_mode_that_cannot_be_set_is_warned_of_once_and_files_land_all_the_same() {
    if !has(Capability::Strace) {
        return;
    }
    for error in ["EPERM", "EOPNOTSUPP", "EINVAL", "EROFS", "ENOSYS"] {
        let setting = Setting::with(&one_by_id());
        let recordings = [add(&setting, "lesson"), add(&setting, "lesson")];
        let parts = recordings.map(|id| setting.recordings().join(format!(".partial/{id}.part")));
        let inject = format!("fchmod:error={error}");
        let paths: Vec<&Path> = parts.iter().map(PathBuf::as_path).collect();
        let (output, log) = once_failing(&setting, &[&inject], &paths);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(log.matches("INJECTED").count(), 2, "{log}");
        assert_eq!(setting.count("archive"), "2");
        let told = text(&output.stderr);
        assert_eq!(
            told.matches("archive.file_mode can't be set").count(),
            1,
            "{told}"
        );
    }
}

#[test]
fn a_directory_that_cannot_be_synced_is_warned_of_once_and_everything_is_synced_instead() {
    if !has(Capability::Strace) {
        return;
    }
    for error in ["EINVAL", "EOPNOTSUPP", "EBADF", "ENOSYS"] {
        let mut setting = Setting::with(&one_by_id());
        // SQLite syncs its own directory.
        setting.database = setting.directory.path().join("state/archive.db");
        // From the first start on: marker and all.
        add(&setting, "lesson");
        add(&setting, "other");
        let [root, partial, lesson, other] = ["", ".partial", "lesson", "other"].map(|name| {
            setting
                .recordings()
                .join(name)
                .components()
                .collect::<PathBuf>()
        });
        for directory in [&partial, &lesson, &other] {
            std::fs::create_dir_all(directory).expect("a directory");
        }
        let paths = [setting.directory.path(), &root, &partial, &lesson, &other];
        let inject = format!("fsync:error={error}");
        let (output, log) = once_failing(&setting, &[&inject, "syncfs"], &paths);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(setting.count("archive"), "2");
        let refused = log.matches("INJECTED").count();
        assert!(refused >= 4, "{log}");
        assert_eq!(log.matches("syncfs(").count(), refused, "{log}");
        let told = text(&output.stderr);
        assert_eq!(told.matches("can't sync a directory").count(), 1, "{told}");
    }
}

#[test]
fn a_directory_on_another_device_or_mount_puts_off_before_the_transfer_what_belongs_there() {
    for kind in ["device", "mount"] {
        let setting = Setting::with(&one_by_id());
        setting.once(0);
        let room = setting.recordings().join("lesson");
        let mounted = match kind {
            "device" => Mount::tmpfs(&room, "size=8m"),
            // The same device, and yet nothing can be renamed across.
            _ => Mount::bind(&setting.directory.path().join("beside"), &room),
        };
        let Some(mounted) = mounted else {
            return;
        };
        let (recording, other) = (add(&setting, "lesson"), add(&setting, "other"));
        let output = setting.run(&["once"]);
        assert_eq!(output.status.code(), Some(4), "{kind}: {output:?}");
        let left = setting.sql("SELECT recording_id, last_error FROM queue");
        let expected = format!("{recording}|'lesson' is on another file system, or another mount");
        assert!(left.starts_with(&expected), "{kind}: {left}");
        assert_eq!(setting.transfers_of(recording), 0, "{kind}");
        assert_eq!(setting.transfers_of(other), 1, "{kind}");
        drop(mounted);
        setting.due();
        assert_eq!(setting.run(&["once"]).status.code(), Some(0), "{kind}");
        assert_eq!(setting.count("archive"), "2", "{kind}");
    }
}

#[test]
fn names_are_no_longer_than_the_file_system_allows() {
    if !has(Capability::Strace) {
        return;
    }
    let mut setting = Setting::with(&one_by_id());
    setting.more = "[archive]\npath_template = \
        \"{{ room }}{{ room }}/{{ room }}{{ room }}_{{ recording_id }}.{{ ext }}\"\n"
        .to_owned();
    let rooms = ["語".repeat(100), "x".repeat(300), "語".repeat(100) + "!"];
    for room in &rooms {
        add(&setting, room);
    }
    // What eCryptfs reports; in the answer the length comes after eight other numbers.
    let answer = [
        0xef53,
        4096,
        1 << 20,
        1 << 19,
        1 << 19,
        1 << 16,
        1 << 16,
        0,
        143,
        4096,
        0,
    ];
    let answer =
        answer
            .into_iter()
            .flat_map(u64::to_le_bytes)
            .fold(String::new(), |mut text, byte| {
                _ = write!(text, "{byte:02x}");
                text
            });
    let inject = format!("fstatfs:poke_exit=@arg2={answer}");
    let (output, log) = once_failing(&setting, &[&inject], &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}\n{log}");
    let paths = setting.sql("SELECT path FROM archive");
    assert_eq!(paths.lines().count(), rooms.len());
    let longest = paths
        .lines()
        .flat_map(|path| path.split('/'))
        .map(str::len)
        .max();
    assert!(
        longest.is_some_and(|bytes| (141..=143).contains(&bytes)),
        "{paths}"
    );
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(0));
}

#[test]
fn whatever_keeps_a_whole_part_from_its_place_it_is_kept_and_not_fetched_again() {
    if !has(Capability::Strace) {
        return;
    }
    let one_place = [
        "ENOTDIR",
        "ELOOP",
        "EACCES",
        "EPERM",
        "EXDEV",
        "ENAMETOOLONG",
        "EBUSY",
        "EIO",
    ];
    let whole_disk = ["ENOSPC", "EDQUOT", "EROFS", "ENOMEM"];
    let calls = ["mkdirat", "renameat2"];
    for error in one_place.iter().chain(&whole_disk) {
        for call in calls {
            let mut setting = Setting::with(&one_by_id());
            setting.more = setting.more.replace("}}/{{", "}}/inner/{{");
            setting.once(0);
            let recording = add(&setting, "lesson");
            let inject = format!("{call}:error={error}");
            let partial = setting.recordings().join(".partial");
            std::fs::create_dir_all(&partial).expect("a directory");
            let room = setting.recordings().join("lesson");
            std::fs::create_dir_all(&room).expect("a directory");
            let place = match call {
                "mkdirat" => room,
                _ => partial.components().collect(),
            };
            let (output, log) = once_failing(&setting, &[&inject], &[&place]);
            let fault = format!("{inject}: {output:?}\n{log}");
            assert!(log.contains("INJECTED"), "{fault}");
            assert_eq!(output.status.code(), Some(4), "{fault}");
            let left = setting.sql("SELECT state, attempts, last_error FROM queue");
            assert!(left.starts_with("pending|"), "{fault}: {left}");
            let paused = text(&output.stderr).contains("downloads pause");
            assert_eq!(paused, whole_disk.contains(error), "{fault}");
            let parts = std::fs::read_dir(&partial).expect("a directory").count();
            assert_eq!(parts, 1, "{fault}");
            setting.due();
            assert_eq!(setting.run(&["once"]).status.code(), Some(0), "{fault}");
            assert_eq!(setting.count("archive"), "1", "{fault}");
            assert_eq!(setting.transfers_of(recording), 1, "{fault}");
        }
    }
}

#[test]
fn a_file_system_without_links_and_safe_renames_replaces_nothing_either() {
    if !has(Capability::Strace) {
        return;
    }
    let setting = Setting::with(&one_by_id());
    let recording = add(&setting, "lesson");
    occupy(&setting.target(recording), "somebody's notes");
    let calls = ["renameat2:error=EINVAL", "linkat:error=EPERM"];
    let (output, log) = once_failing(&setting, &calls, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}\n{log}");
    assert_eq!(setting.count("archive"), "1");
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(0));
    let mut quarantined = Vec::new();
    collect(&setting.recordings().join(".quarantine"), &mut quarantined);
    assert_eq!(
        std::fs::read(&quarantined[0]).expect("it"),
        b"somebody's notes"
    );
}
