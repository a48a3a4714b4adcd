//! An archive that is read-only or not ours degrades the service without a hot loop, and it goes on by itself afterwards.

use std::net::SocketAddr;
use std::time::Duration;

use fake_space::NewRecording;
use room_archiver::clock::Clock;

use super::harness::disk::Mount;
use super::harness::users::{NOBODY, command_as};
use super::harness::{Capability, Child, EVERY_SECOND, MIB, Setting, get, has, listening, media};

/// The daemon is degraded and shows it, tries again every half a minute, and keeps polling.
fn degrades(setting: &Setting, mut daemon: Child, port: SocketAddr, error: &str) {
    let told = daemon.line("downloads pause");
    assert!(told.contains(error), "{told}");
    setting.wait(|_| get(port, "/healthz").starts_with("HTTP/1.1 503"));
    let reason = get(port, "/healthz");
    assert!(
        reason.contains("disk: downloads have been paused for ")
            && reason.contains("the archive can't be written to"),
        "{reason}"
    );
    setting.space.archivable("later");
    setting.wait(|setting| setting.count("queue") == "2");
    daemon.line("poll complete");
    daemon.line("poll complete");
    daemon.stop();
    let pauses = daemon.count("downloads pause");
    assert_eq!(pauses, 1, "no hot loop: {:#?}", daemon.told);
    assert_eq!(setting.sql("SELECT max(attempts) FROM queue"), "0");
    assert_eq!(setting.space.counters().media_requests, 0);
}

#[test]
fn a_read_only_archive_degrades_without_a_hot_loop() {
    let mut setting = Setting::with("");
    let Some(disk) = Mount::tmpfs(&setting.recordings(), "size=8m") else {
        return;
    };
    setting.once(0);
    disk.remount("ro");
    setting.add_media(&media(3 * MIB));
    setting.more += EVERY_SECOND;
    let port = listening(&mut setting);
    let daemon = setting.daemon();
    degrades(&setting, daemon, port, "Read-only file system");
    disk.remount("rw");
    assert_eq!(setting.run(&["retry", "--stuck"]).status.code(), Some(0));
    setting.due();
    setting.once(0);
    assert_eq!(setting.count("archive"), "2");
}

#[tokio::test]
async fn an_archive_that_was_read_only_for_a_while_goes_on_by_itself() {
    let setting = Setting::of(NewRecording::completed(media(3 * MIB)), "").0;
    let Some(disk) = Mount::tmpfs(&setting.recordings(), "size=8m") else {
        return;
    };
    let clock = Clock::manual(setting.space.now());
    let archive = setting.open(&clock).await;
    archive.poll().await;
    disk.remount("ro");
    for _ in 0..5 {
        assert_eq!(archive.download().await, 0);
        let pause = archive.downloader.paused().expect("a pause");
        assert_eq!(pause.until, clock.now() + Duration::from_secs(30));
        clock.advance(Duration::from_secs(30));
    }
    assert_eq!(
        setting.sql("SELECT state, attempts FROM queue"),
        "pending|0"
    );
    disk.remount("rw");
    assert_eq!(archive.download().await, 1);
}

#[test]
fn an_archive_that_may_not_be_written_to_degrades_without_a_hot_loop() {
    use std::os::unix::fs::{PermissionsExt, chown};
    if !has(Capability::Root) {
        return;
    }
    let mut setting = Setting::with("");
    setting.once(0);
    // All is the daemon's but the archive's directory.
    for entry in std::fs::read_dir(setting.directory.path()).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path != setting.recordings() {
            chown(path, Some(NOBODY), Some(NOBODY)).expect("chown");
        }
    }
    chown(setting.directory.path(), Some(NOBODY), Some(NOBODY)).expect("chown");
    std::fs::remove_dir(setting.recordings().join(".partial")).expect("a directory");
    let open = |mode| PermissionsExt::from_mode(mode);
    std::fs::set_permissions(setting.recordings(), open(0o755)).expect("chmod");
    let marker = setting.recordings().join(".room-archiver");
    std::fs::set_permissions(marker, open(0o644)).expect("chmod");
    setting.add_media(&media(3 * MIB));
    setting.more += EVERY_SECOND;
    let port = listening(&mut setting);
    let command = command_as(&setting, NOBODY, &["run"]);
    degrades(&setting, Child::of(command), port, "Permission denied");
}
