//! A database that is locked by another program for long, or whose disk is full: the service stays up, shows it, and
//! goes on by itself. One that is damaged ends it.

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use room_archiver::clock::Clock;
use room_archiver::store::{Access, PassKind, Store};

use super::harness::disk::Mount;
use super::harness::{
    EVERY_SECOND, MIB, Other, Setting, get, healthy, listening, media, unhealthy,
};

/// A setting whose daemon polls each second.
fn setting() -> (Setting, std::net::SocketAddr) {
    let mut setting = Setting::with(EVERY_SECOND);
    let port = listening(&mut setting);
    (setting, port)
}

/// The same, and it verifies each second, which moves the log into the database.
fn verifying() -> (Setting, std::net::SocketAddr) {
    let (mut setting, port) = setting();
    setting
        .more
        .push_str("[verify]\nschedule = \"* * * * * *\"\n");
    (setting, port)
}

#[test]
fn a_lock_that_outlasts_every_time_out_degrades_the_service_and_it_goes_on_by_itself() {
    let (setting, port) = verifying();
    setting.space.archivable("lesson");
    let mut daemon = setting.daemon();
    daemon.line("archived a recording");
    daemon.line("verified archived files");
    healthy(&setting, port);
    let mut writer = Other::begin(&setting.database(), "BEGIN IMMEDIATE;");
    setting.space.archivable("lesson");
    let clock = Clock::system();
    let told = daemon.line("the database can't be used now");
    assert!(told.contains("locked"), "{told}");
    unhealthy(&setting, port, "database: could not be used for ");
    assert!(get(port, "/metrics").contains("room_archiver_database_ok 0"));
    // Long enough for each task that needs the database to meet the lock, and for some to meet it again.
    writer.goes_on(".shell sleep 12\nCOMMIT;");
    setting.wait(|setting| setting.count("archive") == "2");
    assert!(
        clock.monotonic() > Duration::from_secs(21),
        "it held the lock"
    );
    let free = Clock::system();
    healthy(&setting, port);
    assert!(free.monotonic() < Duration::from_mins(1));
    assert!(get(port, "/metrics").contains("room_archiver_database_ok 1"));
    daemon.line("the database works again");
    daemon.line("verified archived files");
    drop(writer);
    daemon.stop();
    assert_eq!(setting.count("archive"), "2");
    let noted = |text: &str| {
        daemon
            .told
            .iter()
            .filter(|line| line.contains(text))
            .count()
    };
    assert_eq!(
        noted("the database can't be used now"),
        1,
        "{:#?}",
        daemon.told
    );
    assert_eq!(noted("the database works again"), 1);
    let given_up = "SELECT count(*) FROM passes WHERE outcome = 'running'";
    assert_eq!(setting.sql(given_up), "0");
}

/// Takes what is left of a file system.
fn fill(filler: &Path) {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(filler);
    let mut file = file.expect("a file");
    let mut length = 1 << 20;
    while length > 0 {
        if std::io::Write::write_all(&mut file, &vec![0; length]).is_err() {
            length /= 2;
        }
    }
}

fn shorten(filler: &Path, bytes: u64) {
    let file = std::fs::OpenOptions::new().write(true).open(filler);
    let file = file.expect("a file");
    let length = file.metadata().expect("a file").len();
    file.set_len(length - bytes).expect("a file");
}

#[test]
fn a_full_file_system_with_archive_and_database_on_it_degrades_the_service_and_it_goes_on_with_room()
 {
    let (mut setting, port) = setting();
    let disk = setting.directory.path().join("disk");
    let Some(_disk) = Mount::tmpfs(&disk, "size=32m") else {
        return;
    };
    setting.database = disk.join("archive.db");
    setting.recordings = disk.join("recordings");
    setting.add_media(&media(MIB));
    let mut daemon = setting.daemon();
    daemon.line("archived a recording");
    healthy(&setting, port);
    let filler = disk.join("filler");
    // First there is room for the database, but not for a recording.
    fill(&filler);
    shorten(&filler, 2 * MIB);
    setting.add_media(&media(3 * MIB));
    setting.add_media(&media(4 * MIB));
    unhealthy(
        &setting,
        port,
        "disk: 2 recordings have been waiting for space",
    );
    fill(&filler);
    let mut answer = String::new();
    setting.wait(|_| {
        answer = get(port, "/healthz");
        // By then each task has tried again, some several times.
        (10..20).any(|seconds| answer.contains(&format!("could not be used for {seconds} s")))
    });
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("disk is full"), "{answer}");
    std::fs::remove_file(&filler).expect("a file");
    let free = Clock::system();
    setting.wait(|setting| setting.count("archive") == "3");
    healthy(&setting, port);
    let took = free.monotonic();
    assert!(took < Duration::from_mins(1), "{took:?}");
    daemon.stop();
    assert_eq!(setting.sql("PRAGMA integrity_check"), "ok");
}

#[test]
fn a_database_that_is_damaged_while_the_service_runs_ends_it() {
    let (setting, _) = verifying();
    setting.space.archivable("lesson");
    let mut daemon = setting.daemon();
    daemon.line("archived a recording");
    daemon.line("verified archived files");
    daemon.line("poll complete");
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(setting.database());
    let file = file.expect("a file");
    let pages = file.metadata().expect("a file").len() / 4096;
    for page in 1..pages {
        file.write_at(&[0xa5; 4096], page * 4096).expect("a page");
    }
    assert_eq!(daemon.wait().code(), Some(1), "{:#?}", daemon.told);
    let failed = |line: &String| line.contains("a task failed") && line.contains("malformed");
    assert!(daemon.told.iter().any(failed), "{:#?}", daemon.told);
}

#[tokio::test]
async fn a_pass_that_was_given_up_is_interrupted_when_the_next_of_its_kind_begins() {
    let (setting, _) = setting();
    let store = Store::open(&setting.database(), Access::Write).await;
    let store = store.expect("a database");
    let now = Clock::system().now();
    for kind in [PassKind::Poll, PassKind::Sweep, PassKind::Poll] {
        store.begin_pass(kind, now).await.expect("a database");
    }
    let passes = setting.sql("SELECT kind, outcome FROM passes ORDER BY id");
    assert_eq!(passes, "poll|interrupted\nsweep|running\npoll|running");
    store.close().await;
}
