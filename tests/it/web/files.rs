//! `/media/ID`: ranges, conditions, names and types.

use super::Page;
use crate::harness::{BY_ID, Setting, content, media};

#[test]
fn ranges_and_conditions_are_answered_as_rfc_9110_has_it() {
    let setting = Setting::with(BY_ID);
    let file = media(50_000);
    let id = setting.add_media(&file);
    setting.once(0);
    let bytes = content(&file);
    let page = Page::of(&setting);
    let path = format!("/media/{id}");
    let tag = format!("\"{}\"", setting.sql("SELECT sha256 FROM archive"));

    let head = page.request("HEAD", &path, &[("Range", "bytes=0-1")]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some("50000"));
    assert_eq!(head.header("accept-ranges"), Some("bytes"));
    assert_eq!(head.header("etag"), Some(tag.as_str()));
    assert_eq!(head.header("content-type"), Some("video/mp4"));
    let name = format!("attachment; filename=\"{id}.mp4\"; filename*=UTF-8''{id}.mp4");
    assert_eq!(head.header("content-disposition"), Some(name.as_str()));

    let part = |range: &str, more: &[(&str, &str)]| {
        page.request("GET", &path, &[&[("Range", range)], more].concat())
    };
    let middle = part("bytes=20000-39999", &[]);
    assert_eq!(middle.status, 206);
    assert_eq!(
        middle.header("content-range"),
        Some("bytes 20000-39999/50000")
    );
    assert_eq!(middle.header("content-length"), Some("20000"));
    assert!(middle.body == bytes[20_000..40_000], "other bytes");
    assert!(part("bytes=-5", &[]).body == bytes[49_995..], "other bytes");
    assert!(
        part("bytes=49999-", &[("If-Range", &tag)]).body == bytes[49_999..],
        "other bytes"
    );

    for (range, more) in [
        ("bytes=1-2", ("If-Range", "\"other\"")),
        ("bytes=1-2,4-5", ("X-None", "1")),
        ("bytes=2-1", ("X-None", "1")),
        ("lines=1-2", ("X-None", "1")),
    ] {
        let whole = part(range, &[more]);
        assert_eq!((whole.status, whole.body.len()), (200, 50_000), "{range}");
    }
    let behind = part("bytes=50000-", &[]);
    assert_eq!((behind.status, behind.body.len()), (416, 0));
    assert_eq!(behind.header("content-range"), Some("bytes */50000"));

    let known = page.request("GET", &path, &[("If-None-Match", &tag)]);
    assert_eq!((known.status, known.body.len()), (304, 0));
    assert_eq!(known.header("etag"), Some(tag.as_str()));
    assert_eq!(
        page.request("GET", &path, &[("If-Match", "\"other\"")])
            .status,
        412
    );
}

#[test]
fn a_name_that_is_not_ascii_survives_the_download() {
    let setting = Setting::with(
        "[archive]\npath_template = \"{{ room }} Größe {{ recording_id }}.{{ ext }}\"\n",
    );
    let (_, id) = setting.space.archivable("lesson");
    setting.once(0);
    let page = Page::of(&setting);
    let answer = page.request("HEAD", &format!("/media/{id}"), &[]);
    let name = format!(
        "attachment; filename=\"lesson Gr__e {id}.mp4\"; filename*=UTF-8''lesson%20Gr%C3%B6%C3%9Fe%20{id}.mp4"
    );
    assert_eq!(answer.header("content-disposition"), Some(name.as_str()));
}

#[test]
fn a_file_that_is_not_the_archived_one_is_not_sent_under_its_checksum() {
    let setting = Setting::with(BY_ID);
    let id = setting.add_media(&media(5_000));
    setting.once(0);
    let page = Page::of(&setting);
    std::fs::write(setting.target(id), "shorter").expect("a file");
    let answer = page.get(&format!("/media/{id}"));
    assert_eq!(answer.status, 503);
    assert!(
        answer.text().contains("can&#x27;t be read now"),
        "{}",
        answer.text()
    );
    let one = page.get(&format!("/recordings/{id}"));
    assert_eq!(one.status, 200);
    assert!(!one.text().contains("<video"), "{}", one.text());
    std::fs::remove_file(setting.target(id)).expect("a file");
    assert_eq!(page.get(&format!("/media/{id}")).status, 503);
}

#[test]
fn viewers_are_noted_with_the_recording() {
    let setting = Setting::archived();
    let id = setting.sql("SELECT recording_id FROM archive");
    let env = [
        ("ROOM_ARCHIVER__WEB__USER_HEADER", "X-User"),
        ("ROOM_ARCHIVER__WEB__TRUSTED_PROXIES", "[\"127.0.0.1\"]"),
    ];
    let mut page = Page::with(&setting, &env);
    let ann = [("X-User", "ann\u{202e}")];
    assert_eq!(
        page.request("GET", &format!("/recordings/{id}"), &ann)
            .status,
        200
    );
    assert_eq!(
        page.request("GET", &format!("/media/{id}"), &ann).status,
        200
    );
    let line = page.child.line("showed a recording");
    for part in [
        format!("recording.id={id}"),
        "ann\\u202E".to_owned(),
        "127.0.0.1".to_owned(),
    ] {
        assert!(
            line.contains(&part) || line.contains(&part.replace('\\', "\\\\")),
            "{line}"
        );
    }
    page.child.line("sent a recording");
}
