//! The read-only page: the program with `web`, and requests to it.

mod attacks;
mod browser;
mod driver;
mod files;
mod lists;
mod page;
mod proxies;
mod views;
mod wire;

pub use page::{Answer, Page};

use super::harness::{EVERY_SECOND, Setting, content, media};
use fake_space::NewRecording;

#[test]
fn each_page_says_what_is_in_the_archive() {
    let setting = Setting::with("");
    let (_, archived) = setting.space.archivable("lesson");
    let waiting = setting.add(NewRecording::default().status("processing"));
    setting.once(0);
    let page = Page::of(&setting);

    let status = page.get("/");
    assert_eq!(status.status, 200);
    assert!(status.text().contains(">Healthy</p>"), "{}", status.text());
    for text in [
        "<b>1</b> archived",
        "<b>1</b> waiting",
        "The last days in numbers",
        "the archive grew to",
    ] {
        assert!(status.text().contains(text), "{text}: {}", status.text());
    }
    let list = page.get("/recordings").text();
    assert!(
        list.contains(&format!("/recordings/{archived}"))
            && list.contains(&format!("/recordings/{waiting}"))
    );
    let list = page.get("/recordings?state=archived").text();
    assert!(list.contains(&archived.to_string()) && !list.contains(&waiting.to_string()));

    let one = page.get(&format!("/recordings/{archived}")).text();
    let sha256 = setting.sql("SELECT sha256 FROM archive");
    let path = setting.sql("SELECT path FROM archive");
    for text in [
        sha256.as_str(),
        "<video controls",
        "Download attempts",
        path.rsplit('/').next().expect("a name"),
        "Concerns",
    ] {
        assert!(one.contains(text), "{text}: {one}");
    }
    let one = page.get(&format!("/recordings/{waiting}")).text();
    assert!(
        one.contains("No file of this recording is archived: it is waiting."),
        "{one}"
    );

    let session = setting.sql("SELECT session_id FROM archive");
    assert!(
        page.get("/sessions")
            .text()
            .contains(&format!("/sessions/{session}"))
    );
    assert!(
        page.get(&format!("/sessions/{session}"))
            .text()
            .contains(&archived.to_string())
    );
    let gaps = page.get("/sessions?gaps=1").text();
    assert!(
        !gaps.contains(&session) && gaps.contains("/sessions/"),
        "{gaps}"
    );
    let rooms = page.get("/rooms").text();
    assert!(
        rooms.contains("href=\"/recordings?room=lesson\""),
        "{rooms}"
    );
}

#[test]
fn the_first_page_says_why_the_archive_is_not_healthy() {
    let setting = Setting::archived();
    let id = setting.sql("SELECT recording_id FROM archive");
    setting.write_sql("UPDATE recording SET state = 'lost', upstream_gone_at = '2026-01-01T00:00:00.000Z', pending_since = NULL");
    let page = Page::of(&setting);
    let status = page.get("/").text();
    let said = String::from_utf8(setting.run(&["status"]).stdout).expect("text");
    let problem = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("attention: "))
        .expect("a problem");
    assert!(
        status.contains("Not healthy") && status.contains(&problem[..40]),
        "{status}\n{said}"
    );
    assert!(status.contains(&format!("/recordings/{id}")), "{status}");
    assert!(
        status.contains("gone upstream before it was archived"),
        "{status}"
    );
}

#[test]
fn a_page_without_a_database_says_so_and_shows_it_as_soon_as_it_is_there() {
    let setting = Setting::with("");
    setting.space.archivable("lesson");
    let page = Page::of(&setting);
    let answer = page.get("/recordings");
    assert_eq!(answer.status, 503);
    assert!(
        answer.text().contains("there is no database"),
        "{}",
        answer.text()
    );
    setting.once(0);
    assert_eq!(page.get("/recordings").status, 200);
    // A database that was built anew is another file.
    std::fs::remove_file(&setting.database).expect("a file");
    for suffix in ["-wal", "-shm"] {
        _ = std::fs::remove_file(setting.directory.path().join(format!("archive.db{suffix}")));
    }
    assert_eq!(page.get("/recordings").status, 503);
    setting.once(0);
    assert!(page.get("/recordings").text().contains("lesson"));
}

#[test]
fn a_viewer_pins_no_snapshot_of_the_database() {
    let setting = Setting::with(EVERY_SECOND);
    let id = setting.add_media(&media(8 << 20));
    setting.once(0);
    let page = Page::of(&setting);
    page.get("/recordings");
    // It has begun to watch and reads no further.
    let slow = page.open(&format!(
        "GET /media/{id} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    ));
    let mut daemon = setting.daemon();
    daemon.line("poll complete");
    daemon.stop();
    // Stopped in order: the log could be emptied, which no reader held up.
    let log = std::fs::metadata(setting.directory.path().join("archive.db-wal")).expect("a file");
    assert_eq!(log.len(), 0);
    drop(slow);
}

#[test]
fn the_file_of_a_recording_is_the_one_that_was_archived() {
    let setting = Setting::with("");
    let bytes = media(100_000);
    let id = setting.add_media(&bytes);
    setting.once(0);
    let page = Page::of(&setting);
    let answer = page.get(&format!("/media/{id}"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, content(&bytes));
}
