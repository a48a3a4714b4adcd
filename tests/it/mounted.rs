//! A disk that is mounted over the archive, or taken away, while the service runs: noticed, nothing is written to
//! the wrong one, no file counts as missing, and all goes on once the right one is back.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use fake_space::{Action, Gate, Rule};
use room_archiver::archive::root::NotThere;
use room_archiver::clock::Clock;
use room_archiver::verify::{Scope, VerifyError};

use super::harness::Setting;
use super::harness::disk::Mount;

fn is_empty(setting: &Setting) -> bool {
    let entries = std::fs::read_dir(setting.recordings());
    entries.expect("a directory").count() == 0
}

#[tokio::test]
async fn with_a_disk_over_the_archive_downloads_pause_and_go_on_when_it_is_gone() {
    let setting = Setting::with("");
    let clock = Clock::manual(setting.space.now());
    let archive = setting.open(&clock).await;
    setting.space.archivable("lesson");
    archive.poll().await;
    let Some(over) = Mount::tmpfs(&setting.recordings(), "size=8m") else {
        return;
    };
    assert_eq!(archive.download().await, 0);
    let pause = archive.downloader.paused().expect("a pause");
    assert_eq!(pause.reason, room_archiver::store::PauseKind::Disk);
    assert!(
        pause.error.contains("is not the archive any more"),
        "{pause:?}"
    );
    assert_eq!(setting.space.counters().media_requests, 0);
    assert!(is_empty(&setting));
    drop(over);
    clock.advance(Duration::from_secs(31));
    assert_eq!(archive.download().await, 1);
    assert_eq!(archive.downloader.paused(), None);
}

#[tokio::test]
async fn a_disk_that_comes_during_a_transfer_is_noticed_before_the_landing_and_the_part_is_kept() {
    let setting = Setting::with("");
    let clock = Clock::manual(setting.space.now());
    let archive = setting.open(&clock).await;
    setting.space.archivable("lesson");
    let gate = Gate::new();
    let hold = Rule::media(Action::Hold(gate.clone()));
    setting.space.inject(hold.once());
    archive.poll().await;
    let script = async {
        gate.arrived(1).await;
        let over = Mount::tmpfs(&setting.recordings(), "size=8m");
        gate.open();
        over
    };
    let (landed, over) = tokio::join!(archive.download(), script);
    let Some(over) = over else { return };
    assert_eq!(landed, 0);
    assert!(archive.downloader.paused().is_some());
    assert!(is_empty(&setting));
    drop(over);
    clock.advance(Duration::from_secs(31));
    assert_eq!(archive.download().await, 1);
    assert_eq!(setting.space.counters().media_requests, 1);
}

#[tokio::test]
async fn the_same_archive_on_another_device_is_used_from_then_on() {
    let setting = Setting::with("");
    let Some(first) = Mount::tmpfs(&setting.recordings(), "size=8m") else {
        return;
    };
    let clock = Clock::manual(setting.space.now());
    let archive = setting.open(&clock).await;
    setting.space.archivable("lesson");
    archive.poll().await;
    assert_eq!(archive.download().await, 1);
    let copy = setting.directory.path().join("copy");
    let copied = Command::new("cp")
        .arg("-a")
        .arg(setting.recordings())
        .arg(&copy)
        .status();
    assert!(copied.expect("cp").success());
    // Unplugged: the archive still holds the first one.
    drop(first);
    setting.space.archivable("later");
    archive.poll().await;
    assert_eq!(archive.download().await, 0);
    assert!(is_empty(&setting));
    let Some(_second) = Mount::bind(&copy, &setting.recordings()) else {
        return;
    };
    clock.advance(Duration::from_secs(31));
    assert_eq!(archive.download().await, 1);
    assert_eq!(setting.files().len(), 2);
}

#[tokio::test]
async fn a_verification_of_an_archive_that_is_not_there_ends_with_an_error_and_marks_nothing() {
    let setting = Setting::with("");
    let clock = Clock::manual(setting.space.now());
    let archive = setting.open(&clock).await;
    for room in ["a", "b", "c"] {
        setting.space.archivable(room);
    }
    archive.poll().await;
    assert_eq!(archive.download().await, 3);
    clock.advance(Duration::from_hours(1));
    let verifier = archive.app.verifier(Arc::new(|_| {}));
    let whole = verifier.run(&Scope::All).await.expect("the archive");
    assert_eq!((whole.files, whole.damaged.len()), (3, 0));
    clock.advance(Duration::from_hours(1));
    let Some(over) = Mount::tmpfs(&setting.recordings(), "size=8m") else {
        return;
    };
    let error = verifier.run(&Scope::All).await.expect_err("no archive");
    let expected = matches!(error, VerifyError::NotThere(NotThere::Unmounted(_)));
    assert!(expected, "{error:?}");
    // Nor does a comparison conclude anything.
    let beat: room_archiver::app::Beat = Arc::new(|| {});
    let now = clock.now();
    room_archiver::reconcile::compare(archive.app.root.clone(), &archive.app.store, now, &*beat)
        .await
        .expect("a database");
    assert_eq!(setting.count("archive"), "3");
    let pass = setting.sql("SELECT outcome, error FROM passes ORDER BY id DESC LIMIT 1");
    assert!(
        pass.starts_with("failed|") && pass.contains("marker"),
        "{pass}"
    );
    drop(over);
    // It stops being there in the middle: the first file that seems to be missing shows it.
    for file in setting.files() {
        std::fs::remove_file(file).expect("a file");
    }
    std::fs::remove_file(setting.recordings().join(".room-archiver")).expect("the marker");
    verifier.run(&Scope::All).await.expect_err("no archive");
    assert_eq!(setting.count("archive"), "3");
}

#[test]
fn the_service_outlives_a_verification_without_an_archive() {
    let mut setting = Setting::with("");
    setting.space.archivable("lesson");
    setting
        .more
        .push_str("[verify]\nschedule = \"* * * * * *\"\n");
    let mut daemon = setting.daemon();
    daemon.line("archived a recording");
    let Some(over) = Mount::tmpfs(&setting.recordings(), "size=8m") else {
        return;
    };
    daemon.line("could not verify archived files");
    drop(over);
    daemon.line("verified archived files");
    assert_eq!(setting.count("archive"), "1");
    daemon.stop();
}
