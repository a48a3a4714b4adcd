//! Links, transfers and landing: what ends up in the archive is the whole recording, or nothing.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use fake_space::{
    Action, Answer, Generated, Media, NewRecording, NewSession, Options, Order, Reported, Rule,
};
use room_archiver::clock::Clock;
use room_archiver::model::State;
use uuid::Uuid;

use super::harness::{Archive, Setting};

fn setting() -> Setting {
    Setting::new(Options {
        order: Order::NewestFirst,
        ..Options::default()
    })
}

fn add(setting: &Setting, media: &Media) -> Uuid {
    let session = setting.space.add_session(NewSession::completed("hearing"));
    setting
        .space
        .add_recording(session, NewRecording::completed(media.clone()))
}

fn big() -> Media {
    Media::generated(Generated::of_size(3 << 20))
}

/// Polls and downloads, with the real clock: retries are quick.
async fn archive(setting: &Setting) -> Archive {
    let archive = setting.open(&Clock::system()).await;
    assert_eq!(archive.poll().await.error, None);
    archive.download().await;
    archive
}

/// The media comes in whole in spite of one fault, with no bytes of another object in it.
async fn survives(action: Action) -> Setting {
    let setting = setting();
    let media = big();
    add(&setting, &media);
    let fault = setting.space.inject(Rule::media(action).once());
    archive(&setting).await.close().await;
    assert_eq!(setting.space.fired(fault), 1);
    assert_eq!(setting.sql("SELECT sha256 FROM archive"), media.sha256());
    assert_eq!(
        std::fs::read_dir(setting.recordings().join(".partial"))
            .expect("parts")
            .count(),
        0
    );
    setting
}

/// The media is never taken for a recording.
async fn never_archived(media: &Media, change: impl FnOnce(&Setting, Uuid)) -> Setting {
    let setting = setting();
    let id = add(&setting, media);
    change(&setting, id);
    archive(&setting).await.close().await;
    assert_eq!(setting.sql("SELECT count(*) FROM archive"), "0");
    assert_eq!(setting.sql("SELECT state FROM failures"), "failed");
    assert!(setting.files().is_empty());
    setting
}

#[tokio::test]
async fn a_cut_transfer_is_resumed_where_it_broke_off() {
    for action in [Action::ResetAfter(1 << 20), Action::CloseAfter(1 << 20)] {
        let setting = survives(action).await;
        let attempts = setting
            .sql("SELECT outcome, from_byte > 0, http_status FROM attempts ORDER BY attempt");
        assert_eq!(attempts, "retry|0|200\narchived|1|206");
    }
}

#[tokio::test]
async fn a_stalled_transfer_is_cut_and_resumed() {
    let mut setting = setting();
    setting
        .more
        .push_str("[download]\nstall_timeout = \"1s\"\n");
    let media = big();
    add(&setting, &media);
    let gate = fake_space::Gate::new();
    setting
        .space
        .inject(Rule::media(Action::StallAfter(2 << 20, gate)).once());
    archive(&setting).await.close().await;
    assert_eq!(setting.sql("SELECT sha256 FROM archive"), media.sha256());
    assert_eq!(
        setting.sql("SELECT max(from_byte) FROM attempts"),
        (2 << 20).to_string()
    );
}

#[tokio::test]
async fn nothing_is_spliced_when_the_object_or_the_answer_changed() {
    // After a cut, the second request finds another validator, no range, or a wrong one.
    for second in [
        Action::header("ETag", "\"another\""),
        Action::IgnoreRange,
        Action::ShiftRange(5),
        Action::Multipart,
        Action::NotSatisfiable,
    ] {
        let setting = setting();
        let media = big();
        add(&setting, &media);
        setting
            .space
            .inject(Rule::media(Action::ResetAfter(1 << 20)).once());
        setting
            .space
            .inject(Rule::media(second).ranged(true).once());
        archive(&setting).await.close().await;
        assert_eq!(setting.sql("SELECT sha256 FROM archive"), media.sha256());
    }
}

#[tokio::test]
async fn without_a_strong_validator_a_cut_transfer_starts_over() {
    for etag in [
        Action::no_header("ETag"),
        Action::header("ETag", "W/\"weak\""),
    ] {
        let setting = setting();
        let media = big();
        add(&setting, &media);
        setting.space.inject(Rule::media(etag));
        setting
            .space
            .inject(Rule::media(Action::ResetAfter(1 << 20)).once());
        archive(&setting).await.close().await;
        assert_eq!(setting.sql("SELECT sha256 FROM archive"), media.sha256());
        assert_eq!(setting.sql("SELECT max(from_byte) FROM attempts"), "0");
    }
}

#[tokio::test]
async fn an_expired_or_refused_link_is_replaced_by_a_fresh_one() {
    let setting = setting();
    let media = big();
    let id = add(&setting, &media);
    let archive = setting.open(&Clock::system()).await;
    archive.poll().await;
    setting.space.kill_links();
    archive.download().await;
    archive.close().await;
    assert_eq!(setting.sql("SELECT count(*) FROM archive"), "1");
    let minted = |seen: &fake_space::Seen| seen.path.ends_with(&format!("room_recordings/{id}"));
    assert_eq!(
        setting
            .space
            .journal()
            .iter()
            .filter(|seen| minted(seen))
            .count(),
        1
    );
    for status in [401, 403, 410] {
        survives(Action::Answer(Answer::new(status))).await;
    }
}

#[tokio::test]
async fn media_hosts_get_no_credentials_and_are_asked_for_identity() {
    let setting = survives(Action::error(500)).await;
    for seen in setting.space.journal() {
        assert_eq!(seen.authorization.is_some(), seen.is_api(), "{seen:?}");
        if seen.is_media() {
            assert_eq!(seen.method, "GET");
            assert_eq!(seen.accept_encoding.as_deref(), Some("identity"));
            assert_eq!(seen.referer, None);
        }
    }
}

#[tokio::test]
async fn what_is_not_the_whole_recording_is_never_archived() {
    let whole = Media::fixture("three-seconds");
    never_archived(&Media::html_page(), |_, _| {}).await;
    never_archived(&Media::empty(), |_, _| {}).await;
    never_archived(&whole.truncated(whole.len() - 10), |_, _| {}).await;
    never_archived(&Media::without_moov(Generated::of_size(100_000)), |_, _| {}).await;
    never_archived(&whole, |setting, id| {
        setting
            .space
            .update_recording(id, |recording| recording.duration = 3600);
    })
    .await;
    never_archived(&whole, |setting, _| {
        setting
            .space
            .inject(Rule::media(Action::header("Content-Encoding", "gzip")));
    })
    .await;
}

#[tokio::test]
async fn unknown_and_wrapped_sizes_do_not_keep_a_recording_out() {
    let setting = setting();
    let media = big();
    let session = setting.space.add_session(NewSession::completed("hearing"));
    for size in [Reported::Null, Reported::Value(0), Reported::Value(-5)] {
        setting
            .space
            .add_recording(session, NewRecording::completed(media.clone()).size(size));
    }
    archive(&setting).await.close().await;
    assert_eq!(setting.sql("SELECT count(*) FROM archive"), "3");
    never_archived(&media, |setting, id| {
        setting
            .space
            .patch(id, fake_space::Patch::set("size_in_bytes", 12));
    })
    .await;
}

#[tokio::test]
async fn an_outage_uses_up_no_recording() {
    let setting = setting();
    add(&setting, &big());
    let outage = setting
        .space
        .inject(Rule::media(Action::error(503)).times(8));
    archive(&setting).await.close().await;
    assert_eq!(setting.space.fired(outage), 8);
    assert_eq!(setting.sql("SELECT count(*) FROM archive"), "1");
}

#[tokio::test]
async fn private_hosts_are_refused_unless_they_are_allowed() {
    let mut setting = setting();
    setting
        .more
        .push_str("[download]\nallow_private_hosts = false\n");
    add(&setting, &big());
    archive(&setting).await.close().await;
    assert!(setting.space.journal().iter().all(fake_space::Seen::is_api));
    assert_eq!(setting.sql("SELECT state FROM failures"), "failed");
}

#[tokio::test]
async fn what_stands_in_the_way_is_put_aside_never_overwritten() {
    let setting = setting();
    add(&setting, &Media::fixture("three-seconds"));
    let first = archive(&setting).await;
    first.close().await;
    let file = setting.files().pop().expect("a file");
    assert_eq!(
        file.metadata().expect("a file").permissions().mode() & 0o777,
        0o640
    );
    std::fs::remove_file(setting.database()).expect("the database");
    std::fs::write(&file, "somebody's notes").expect("a file");
    archive(&setting).await.close().await;
    assert_eq!(setting.sql("SELECT count(*) FROM archive"), "1");
    let quarantine =
        std::fs::read_dir(setting.recordings().join(".quarantine")).expect("a directory");
    let kept: Vec<_> = quarantine
        .flatten()
        .map(|entry| std::fs::read(entry.path()).expect("a file"))
        .collect();
    assert_eq!(kept, [b"somebody's notes"]);
    assert_eq!(
        setting.sql("SELECT count(*) FROM events WHERE kind = 'quarantine'"),
        "1"
    );
}

#[tokio::test]
async fn a_lost_database_adopts_the_files_without_downloading_them_again() {
    let setting = setting();
    add(&setting, &Media::fixture("three-seconds"));
    add(&setting, &big());
    archive(&setting).await.close().await;
    for suffix in ["", "-wal", "-shm"] {
        std::fs::remove_file(setting.directory.path().join(format!("archive.db{suffix}")))
            .expect("a file");
    }
    setting.space.clear_journal();
    assert_eq!(setting.run(&["once"]).status.code(), Some(0));
    assert!(setting.space.journal().iter().all(fake_space::Seen::is_api));
    assert_eq!(
        setting.sql("SELECT outcome FROM attempts"),
        "adopted\nadopted"
    );
}

#[tokio::test]
async fn damage_is_found_and_fetched_again_and_an_unmounted_archive_refused() {
    let setting = setting();
    let media = Media::fixture("three-seconds");
    add(&setting, &media);
    add(&setting, &media);
    archive(&setting).await.close().await;
    let files = setting.files();
    std::fs::remove_file(&files[0]).expect("a file");
    let mut bytes = std::fs::read(&files[1]).expect("a file");
    *bytes.last_mut().expect("a byte") ^= 1;
    std::fs::write(&files[1], bytes).expect("a file");
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(5));
    assert_eq!(setting.sql("SELECT state FROM queue"), "damaged\ndamaged");
    assert_eq!(setting.run(&["once"]).status.code(), Some(0));
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(0));

    std::fs::rename(
        setting.recordings(),
        setting.directory.path().join("elsewhere"),
    )
    .expect("a move");
    std::fs::create_dir(setting.recordings()).expect("a mount point");
    let refused = setting.run(&["once"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        super::text(&refused.stderr).contains("Is the disk mounted?"),
        "{refused:?}"
    );
    assert_eq!(
        std::fs::read_dir(setting.recordings()).expect("it").count(),
        0
    );
}

#[tokio::test]
async fn too_little_space_pauses_and_burns_no_attempt() {
    let mut setting = setting();
    setting
        .more
        .push_str("[archive]\nmin_free_space = \"1PiB\"\n");
    add(&setting, &big());
    let archive = archive(&setting).await;
    assert_eq!(
        archive.downloader.paused().map(|pause| pause.reason),
        Some("disk")
    );
    assert_eq!(archive.counts().await.of(State::Pending), 1);
    archive.close().await;
    assert_eq!(setting.sql("SELECT attempts FROM queue"), "0");
    assert_eq!(setting.run(&["once"]).status.code(), Some(4));
}

#[tokio::test]
async fn never_more_downloads_at_once_than_configured() {
    let mut setting = setting();
    setting.more.push_str("[download]\nconcurrency = 2\n");
    for _ in 0..5 {
        add(&setting, &big());
    }
    let gate = fake_space::Gate::new();
    setting
        .space
        .inject(Rule::media(Action::StallAfter(1 << 20, gate.clone())));
    let archive = setting.open(&Clock::system()).await;
    archive.poll().await;
    let downloading = archive.downloader.clone();
    let running = tokio::spawn(async move {
        downloading
            .run(room_archiver::download::Until::Drained)
            .await
    });
    gate.arrived(2).await;
    tokio::time::timeout(Duration::from_millis(200), gate.arrived(3))
        .await
        .expect_err("only two at once");
    gate.open();
    assert_eq!(running.await.expect("a task").expect("a database"), 5);
    archive.close().await;
}
