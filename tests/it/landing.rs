//! Landing and healing: only whole files are archived, nothing that stands in the archive is overwritten,
//! and what disk and database disagree on is mended.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use fake_space::{Action, Media, NewRecording, Reported, Rule};
use room_archiver::clock::Clock;
use uuid::Uuid;

use super::harness::{BY_ID, MIB, Setting, content, media, occupy};

/// A space with one recording, and retries that nobody has to wait for. The path is told by the id alone.
fn setting(recording: NewRecording) -> (Setting, Uuid) {
    let quick = "[download]\nretry_initial = \"1ms\"\nretry_max = \"5ms\"\n";
    Setting::of(recording, &format!("{quick}{BY_ID}"))
}

#[tokio::test]
async fn an_empty_file_is_never_archived() {
    for size in [Reported::Null, Reported::Value(1000)] {
        let (mut setting, _) = setting(NewRecording::completed(Media::empty()).size(size));
        setting.more = setting
            .more
            .replace("\"1ms\"", "\"10m\"")
            .replace("\"5ms\"", "\"10m\"");
        let archive = setting.polled().await;
        assert_eq!(archive.download().await, 0);
        let row = setting.sql("SELECT state, last_error FROM queue");
        assert_eq!(row, "pending|the media host sent an empty file");
        assert_eq!(setting.files().len(), 0);
    }
}

#[tokio::test]
async fn a_size_that_no_int32_can_hold_counts_as_unknown() {
    for size in [Reported::Null, Reported::Value(-5), Reported::Value(0)] {
        let (setting, _) = setting(NewRecording::completed(media(MIB)).size(size));
        let archive = setting.polled().await;
        assert_eq!(archive.download().await, 1);
        assert_eq!(
            setting.sql("SELECT size_bytes FROM archive"),
            MIB.to_string()
        );
    }
}

#[tokio::test]
async fn an_archived_file_has_its_mode_and_leaves_no_part() {
    let (setting, recording) = setting(NewRecording::completed(media(MIB)));
    let archive = setting.polled().await;
    assert_eq!(archive.download().await, 1);
    let file = std::fs::metadata(setting.target(recording)).expect("the file");
    assert_eq!(file.permissions().mode() & 0o7777, 0o640);
    assert!(setting.parts().is_empty());
}

#[tokio::test]
async fn the_same_bytes_in_the_recordings_place_are_adopted() {
    let (setting, recording) = setting(NewRecording::completed(media(MIB)));
    occupy(&setting.target(recording), content(&media(MIB)));
    let archive = setting.polled().await;
    assert_eq!(archive.download().await, 1);
    assert_eq!(setting.media_requests().len(), 0);
    assert_eq!(
        setting.sql("SELECT sha256 FROM archive"),
        media(MIB).sha256()
    );
    assert_eq!(setting.sql("SELECT outcome FROM attempts"), "adopted");
}

#[tokio::test]
async fn whatever_else_stands_in_its_place_is_put_aside_and_told() {
    for kind in ["bytes", "cut", "link", "directory"] {
        let (setting, recording) = setting(NewRecording::completed(media(MIB)));
        let target = setting.target(recording);
        let outside = setting.directory.path().join("outside");
        std::fs::write(&outside, "precious").expect("a file");
        match kind {
            "bytes" => occupy(&target, b"somebody's notes"),
            "cut" => occupy(&target, &content(&media(MIB))[..1000]),
            "link" => {
                occupy(&target, b"");
                std::fs::remove_file(&target).expect("a file");
                symlink(&outside, &target).expect("a link");
            }
            _ => std::fs::create_dir_all(target.join("inner")).expect("a directory"),
        }
        let archive = setting.polled().await;
        assert_eq!(archive.download().await, 1, "{kind}");
        assert_eq!(
            std::fs::read(&target).expect("the file"),
            content(&media(MIB)),
            "{kind}"
        );
        assert_eq!(setting.quarantined().len(), 1, "{kind}");
        assert_eq!(std::fs::read(&outside).expect("a file"), b"precious");
        assert_eq!(
            setting.sql("SELECT kind FROM event WHERE recording_id NOT NULL"),
            "quarantine"
        );
    }
}

#[tokio::test]
async fn what_comes_to_stand_there_during_the_transfer_is_not_overwritten() {
    for same in [true, false] {
        let (setting, recording) = setting(NewRecording::completed(media(MIB)));
        let target = setting.target(recording);
        let bytes = if same {
            content(&media(MIB))
        } else {
            b"notes".to_vec()
        };
        let archive = setting.polled().await;
        let put = Action::after(move |_| occupy(&target, &bytes));
        setting.space.inject(Rule::media(put));
        assert_eq!(archive.download().await, 1);
        assert_eq!(
            setting.sql("SELECT sha256 FROM archive"),
            media(MIB).sha256()
        );
        assert_eq!(setting.quarantined().len(), usize::from(!same));
        assert!(setting.parts().is_empty());
    }
}

#[tokio::test]
async fn a_link_or_a_directory_that_comes_to_stand_there_during_the_transfer_is_put_aside() {
    for link in [true, false] {
        let (setting, recording) = setting(NewRecording::completed(media(MIB)));
        let target = setting.target(recording);
        let archive = setting.polled().await;
        let put = Action::after(move |_| {
            std::fs::create_dir_all(target.parent().expect("a room")).expect("a directory");
            let made = if link {
                symlink("/nowhere", &target)
            } else {
                std::fs::create_dir(&target)
            };
            made.expect("its place");
        });
        setting.space.inject(Rule::media(put));
        assert_eq!(archive.download().await, 1);
        assert_eq!(setting.count("archive"), "1");
        assert_eq!(setting.quarantined().len(), 1, "{link}");
        assert_eq!(setting.transfers_of(recording), 1);
        assert!(setting.parts().is_empty());
    }
}

#[tokio::test]
async fn a_link_on_the_way_is_not_followed_and_stops_no_other_recording() {
    let (mut setting, _) = setting(NewRecording::completed(media(MIB)));
    setting.more = setting.more.replace("1ms", "10m").replace("5ms", "10m");
    let outside = setting.directory.path().join("outside");
    std::fs::create_dir_all(&outside).expect("a directory");
    std::fs::create_dir_all(setting.recordings()).expect("a directory");
    symlink(&outside, setting.recordings().join("lesson")).expect("a link");
    setting.space.archivable("other");
    let archive = setting.polled().await;
    assert_eq!(archive.download().await, 1);
    assert_eq!(std::fs::read_dir(&outside).expect("a directory").count(), 0);
    let error = setting.sql("SELECT state || ' ' || last_error FROM queue");
    assert!(
        error.contains("pending could not look at what stands at 'lesson/"),
        "{error}"
    );
}

#[test]
fn a_lost_database_is_rebuilt_without_downloading_again() {
    let (setting, _) = setting(NewRecording::completed(media(MIB)));
    setting.space.archivable("other");
    setting.once(0);
    let before = setting.sql("SELECT recording_id, path, sha256 FROM archive ORDER BY 1");
    for suffix in ["", "-wal", "-shm"] {
        let file = setting.directory.path().join(format!("archive.db{suffix}"));
        _ = std::fs::remove_file(file);
    }
    setting.space.clear_journal();
    setting.once(0);
    assert_eq!(setting.media_requests().len(), 0);
    let after = setting.sql("SELECT recording_id, path, sha256 FROM archive ORDER BY 1");
    assert_eq!(after, before);
}

#[tokio::test]
async fn after_an_unclean_end_missing_and_altered_files_are_fetched_again() {
    let (setting, first) = setting(NewRecording::completed(media(MIB)));
    let archive = setting.polled().await;
    assert_eq!(archive.download().await, 1);
    // Not closed: as if it had been killed.
    drop(archive);
    let target = setting.target(first);
    for damage in ["missing", "altered"] {
        match damage {
            "missing" => std::fs::remove_file(&target).expect("the file"),
            _ => std::fs::write(&target, "short").expect("the file"),
        }
        let archive = setting.open(&Clock::system()).await;
        assert_eq!(archive.download().await, 1, "{damage}");
        assert_eq!(
            std::fs::read(&target).expect("the file"),
            content(&media(MIB))
        );
        let row = setting.sql("SELECT recording_id, sha256 FROM archive");
        assert_eq!(row, format!("{first}|{}", media(MIB).sha256()));
        let told = format!("SELECT count(*) FROM event WHERE text LIKE '%{damage}%'");
        assert_eq!(setting.sql(&told), "1");
    }
    // The altered one is evidence, not rubbish.
    assert_eq!(setting.quarantined().len(), 1);
}

#[test]
fn verification_finds_silent_damage_and_the_next_run_mends_it() {
    let (setting, recording) = setting(NewRecording::completed(media(MIB)));
    setting.once(0);
    let target = setting.target(recording);
    let mut bytes = content(&media(MIB));
    bytes[500_000] ^= 1;
    std::fs::write(&target, &bytes).expect("the file");
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(5));
    assert_eq!(setting.sql("SELECT state FROM queue"), "damaged");
    setting.once(0);
    assert_eq!(
        std::fs::read(&target).expect("the file"),
        content(&media(MIB))
    );
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(0));
}

#[tokio::test]
async fn a_damaged_recording_that_cannot_be_downloaded_stays_damaged_and_is_tried_again_later() {
    for upstream in ["an error page", "processing"] {
        let (mut setting, recording) = setting(NewRecording::completed(media(MIB)));
        setting.more = setting
            .more
            .replace("\"1ms\"", "\"10m\"")
            .replace("\"5ms\"", "\"1h\"");
        let archive = setting.polled().await;
        assert_eq!(archive.download().await, 1);
        drop(archive);
        std::fs::remove_file(setting.target(recording)).expect("the file");
        if upstream == "processing" {
            setting.space.set_status(recording, upstream);
        } else {
            setting.space.inject(Rule::media(Action::html(200)));
        }
        let archive = setting.open(&Clock::system()).await;
        assert_eq!(archive.download().await, 0, "{upstream}");
        let row = setting.sql(
            "SELECT state, attempts, next_attempt_at > datetime('now', '5 minutes') FROM queue",
        );
        assert_eq!(row, "damaged|2|1", "{upstream}");
    }
}

#[tokio::test]
async fn below_the_disks_reserve_nothing_is_downloaded_and_nothing_is_used_up() {
    let (mut setting, recording) = setting(NewRecording::completed(media(MIB)));
    let more = setting.more.clone();
    setting.more.push_str("\nmin_free_space = \"1EiB\"");
    setting.once(4);
    assert_eq!(setting.media_requests().len(), 0);
    let row = setting.sql("SELECT state, attempts, last_error FROM queue");
    assert!(row.starts_with("pending|0|not enough free space"), "{row}");
    assert_eq!(setting.count("attempts"), "0");
    setting.more = more;
    let archive = setting.open(&Clock::system()).await;
    let id = recording.to_string().parse().expect("an id");
    let now = archive.app.clock.now();
    let retried = archive.app.store.retry(Some(&[id]), now).await;
    assert_eq!(
        retried
            .expect("a database")
            .iter()
            .map(|retried| retried.id)
            .collect::<Vec<_>>(),
        [id]
    );
    assert_eq!(archive.download().await, 1);
}
