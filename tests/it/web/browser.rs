//! The page in a real browser.

use std::path::Path;

use fake_space::{Fixture, Media, NewRecording, NewSession};
use serde_json::{Value, json};

use super::Page;
use super::driver::{Browser, axe, pictures};
use super::wire::Wire;
use crate::harness::{BY_ID, Setting};

const TAB: char = '\u{e004}';
const ENTER: char = '\u{e007}';

/// Two minutes of sound, 20 MB: more than a browser reads ahead.
fn sound() -> Media {
    let (rate, seconds) = (44_100_u32, 120_u32);
    let length = rate * seconds * 4;
    let mut bytes = Vec::with_capacity(length as usize + 44);
    bytes.extend(b"RIFF");
    bytes.extend((length + 36).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * 4).to_le_bytes());
    bytes.extend(b"\x04\0\x10\0data");
    bytes.extend(length.to_le_bytes());
    bytes.extend((0..length).map(|at| (at / 7).to_le_bytes()[0]));
    Media::bytes(bytes).typed("audio/wav")
}

/// An archive to look at: three rooms, a month of recordings, and two real files. The first is the sound.
fn shown() -> (Setting, String, String) {
    let setting = Setting::with(BY_ID);
    let sound = setting.add(NewRecording::completed(sound()));
    let session = setting
        .space
        .add_session(NewSession::completed("team/retro"));
    let video = Media::fixture(Fixture::AudioVideo);
    let video = setting
        .space
        .add_recording(session, NewRecording::completed(video));
    setting.once(0);
    let made = "
        WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 59)
        INSERT INTO session (id, room_name, status, start_time, end_time, ended_at, first_seen_at, listed_at, settled_at, upstream)
        SELECT printf('00000000-0000-4000-8000-%012d', n), CASE n % 3 WHEN 0 THEN 'standup' WHEN 1 THEN 'lesson' ELSE 'team/retro' END,
            'completed', strftime('%Y-%m-%dT09:00:00.000Z', 'now', '-' || (n + 1) || ' days'),
            strftime('%Y-%m-%dT10:00:00.000Z', 'now', '-' || (n + 1) || ' days'), '2026-01-01T00:00:00.000Z',
            '2026-01-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z', '{}' FROM n;
        WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 179)
        INSERT INTO recording (id, session_id, upstream_status, started_at, duration_seconds, size_bytes, format,
            first_seen_at, state, path, archived_bytes, sha256, archived_at, verified_at, concerns, upstream)
        SELECT printf('10000000-0000-4000-8000-%012d', n), printf('00000000-0000-4000-8000-%012d', n / 3), 'completed',
            strftime('%Y-%m-%dT09:', 'now', '-' || (n / 3 + 1) || ' days') || printf('%02d:00.000Z', n % 3 * 20),
            900 + n * 7 % 400, 1, 'video/mp4', '2026-01-01T00:00:00.000Z', 'archived', 'p/' || n || '.mp4',
            (20 + n * 37 % 100) * 1048576, printf('%064d', n), '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z',
            CASE n % 40 WHEN 7 THEN 'duration' END, '{}' FROM n;";
    setting.write_sql(made);
    (setting, sound.to_string(), video.to_string())
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

#[test]
fn each_page_works_in_a_browser_without_scripts_complaints_or_foreign_requests() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let (setting, sound, video) = shown();
    let page = Page::of(&setting);
    let home = format!("http://{}", page.address);
    let session = setting.sql(&format!(
        "SELECT session_id FROM archive WHERE recording_id = '{sound}'"
    ));
    let pictures = pictures();
    for (path, name, text) in [
        ("/".to_owned(), "status", "Healthy"),
        ("/recordings".to_owned(), "recordings", "Older recordings"),
        (format!("/recordings/{video}"), "recording", "Download ("),
        (format!("/recordings/{sound}"), "sound", "Download ("),
        ("/sessions".to_owned(), "sessions", "Older sessions"),
        (format!("/sessions/{session}"), "session", "1 listed"),
        ("/rooms".to_owned(), "rooms", "team/retro"),
        ("/nothing".to_owned(), "nothing", "There is no page"),
    ] {
        for dark in [false, true] {
            browser.dark(dark);
            browser.screen(1000, 800);
            browser.goto(&format!("{home}{path}"));
            assert!(browser.text().contains(text), "{path}: {}", browser.text());
            assert_eq!(browser.eval("document.scripts.length"), json!(0), "{path}");
            let loaded =
                browser.eval("performance.getEntriesByType('resource').map(one => one.name)");
            let loaded = loaded.as_array().expect("a list");
            assert!(
                loaded
                    .iter()
                    .all(|one| one.as_str().is_some_and(|one| one.starts_with(&home))),
                "{loaded:?}"
            );
            let back = browser.eval("getComputedStyle(document.body).backgroundColor");
            assert_eq!(
                back,
                json!(if dark {
                    "rgb(21, 24, 28)"
                } else {
                    "rgb(255, 255, 255)"
                }),
                "{path}"
            );
            if ["status", "recordings", "recording"].contains(&name) && (!dark || name == "status")
            {
                let shade = if dark { "-dark" } else { "" };
                if let Some(pictures) = &pictures {
                    browser.picture(&pictures.join(format!("{name}{shade}.png")));
                }
            }
        }
        let complaints = browser.complaints();
        let expected = |one: &String| name == "nothing" && one.contains("404");
        assert!(complaints.iter().all(expected), "{path}: {complaints:?}");
        if name == "recordings" {
            browser.dark(false);
        }
        // A phone: nothing is wider than the screen.
        browser.screen(360, 740);
        browser.goto(&format!("{home}{path}"));
        let width = number(&browser.eval("document.documentElement.scrollWidth"));
        assert!(width <= 360.0, "{path}: {width}");
        if name == "recordings"
            && let Some(pictures) = &pictures
        {
            browser.picture(&pictures.join("phone.png"));
        }
    }
}

#[test]
fn filters_and_paging_work_by_mouse_and_by_keyboard() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let (setting, ..) = shown();
    let page = Page::of(&setting);
    browser.goto(&format!("http://{}/recordings", page.address));
    let rows = || {
        browser
            .eval("document.querySelectorAll('tbody tr').length")
            .as_u64()
    };
    assert_eq!(rows(), Some(25));
    browser.follow("a[rel=next]");
    assert!(browser.text().contains("Older recordings") && rows() == Some(25));
    browser.write("#room", "standup");
    browser.follow("button");
    let rooms = browser
        .eval("[...new Set([...document.querySelectorAll('td.name')].map(one => one.innerText))]");
    assert_eq!(rooms, json!(["standup"]));
    browser.run("document.querySelector('#concern').value = 'duration'");
    browser.follow("button");
    assert!((Some(1)..Some(5)).contains(&rows()), "{:?}", rows());
    browser.follow("tbody a");
    assert!(browser.text().contains("SHA-256"));
    // By keyboard: the first stop leads past the navigation, the others along it.
    browser.goto(&format!("http://{}/", page.address));
    browser.press(TAB);
    assert_eq!(
        browser.eval("document.activeElement.innerText"),
        json!("Skip to the content")
    );
    assert!(number(&browser.eval("document.activeElement.getBoundingClientRect().left")) >= 0.0);
    browser.press(ENTER);
    setting.wait(|_| browser.eval("location.hash") == json!("#main"));
    browser.goto(&format!("http://{}/", page.address));
    for _ in 0..3 {
        browser.press(TAB);
    }
    assert_eq!(
        browser.eval("document.activeElement.innerText"),
        json!("Recordings")
    );
    browser.press(ENTER);
    setting.wait(|_| browser.eval("document.title") == json!("Recordings · room-archiver"));
}

#[test]
fn a_recording_plays_and_seeks_by_ranges() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let (setting, sound, video) = shown();
    let page = Page::of(&setting);
    let wire = Wire::to(&page.address);
    browser.goto(&format!("http://{}/recordings/{sound}", wire.address));
    setting.wait(|_| browser.eval("document.querySelector('audio').duration") == json!(120));
    assert_eq!(
        browser.promised("document.querySelector('audio').play()"),
        Value::Null
    );
    setting.wait(|_| number(&browser.eval("document.querySelector('audio').currentTime")) > 0.2);
    browser.run("document.querySelector('audio').currentTime = 100");
    setting.wait(|_| {
        let audio = browser.eval("(audio => [audio.seeking, audio.currentTime, audio.error])(document.querySelector('audio'))");
        audio[0] == json!(false) && number(&audio[1]) > 100.2 && audio[2] == Value::Null
    });
    let path = format!("/media/{sound}");
    let ranges = wire.header(&path, "range");
    assert_eq!(
        ranges.first().map(String::as_str),
        Some("bytes=0-"),
        "{ranges:?}"
    );
    let starts: Vec<u64> = ranges
        .iter()
        .filter_map(|range| {
            range
                .strip_prefix("bytes=")?
                .split('-')
                .next()?
                .parse()
                .ok()
        })
        .collect();
    assert!(starts.iter().any(|start| *start > 15_000_000), "{ranges:?}");

    // A video: where this browser has its codecs.
    browser.goto(&format!("http://{}/recordings/{video}", wire.address));
    let able = browser
        .eval("document.createElement('video').canPlayType('video/mp4; codecs=\"avc1.64001f\"')");
    if able != json!("") {
        setting.wait(|_| browser.eval("document.querySelector('video').videoWidth") == json!(320));
        assert_eq!(
            browser.promised("document.querySelector('video').play()"),
            Value::Null
        );
        setting.wait(|_| browser.eval("document.querySelector('video').ended") == json!(true));
    }
}

#[test]
fn axe_finds_nothing_on_any_page() {
    let Some(axe) = axe() else { return };
    let Some(browser) = Browser::start() else {
        return;
    };
    let (setting, sound, video) = shown();
    setting.write_sql(&format!(
        "INSERT INTO pause VALUES ('disk', '', 'full', '2026-01-01T00:00:00.000Z');
         INSERT INTO concern VALUES ('{video}', 'size', 'odd', '2026-01-01T00:00:00.000Z');
         INSERT INTO event (at, kind, recording_id, text) VALUES ('2026-01-01T00:00:00.000Z', 'damage', '{video}', 'odd');
         UPDATE recording SET state = 'lost', upstream_gone_at = '2026-01-01T00:00:00.000Z' WHERE id LIKE '%111';"
    ));
    let page = Page::of(&setting);
    let session = setting.sql(&format!(
        "SELECT session_id FROM archive WHERE recording_id = '{sound}'"
    ));
    let lost = setting.sql("SELECT recording_id FROM recordings WHERE state = 'lost'");
    for path in [
        "/".to_owned(),
        "/recordings".to_owned(),
        "/recordings?room=nobody".to_owned(),
        format!("/recordings/{video}"),
        format!("/recordings/{sound}"),
        format!("/recordings/{lost}"),
        "/sessions".to_owned(),
        "/sessions?gaps=1".to_owned(),
        format!("/sessions/{session}"),
        "/rooms".to_owned(),
        "/nothing".to_owned(),
    ] {
        for (dark, width) in [(false, 1000), (true, 1000), (false, 360), (true, 360)] {
            browser.dark(dark);
            browser.screen(width, 800);
            browser.goto(&format!("http://{}{path}", page.address));
            browser.run(&axe);
            let found = browser.promised("axe.run().then(found => found.violations.map(one => [one.id, one.nodes.map(node => node.html)]))");
            assert_eq!(found, json!([]), "{path}, dark: {dark}, width: {width}");
        }
    }
}

#[test]
fn the_documentation_shows_the_pictures_of_the_browser() {
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
    let page = include_str!("../../../docs/web.md");
    let taken = |name: &String| Path::new(name).extension() == Some("png".as_ref());
    for name in crate::harness::names(&images).into_iter().filter(taken) {
        assert!(page.contains(&format!("images/{name}")), "{name}");
    }
}
