//! What comes from outside is data: names of users, texts of the archive, filters.

use super::{archived, carries_the_headers};
use crate::web::Page;

// 9
#[test]
fn a_user_can_not_be_made_up() {
    let (setting, id) = archived();
    let header = ("ROOM_ARCHIVER__WEB__USER_HEADER", "X-User");
    let mut page = Page::with(
        &setting,
        &[
            header,
            ("ROOM_ARCHIVER__WEB__TRUSTED_PROXIES", "[\"192.0.2.7\"]"),
        ],
    );
    let path = format!("/recordings/{id}");
    for headers in [
        &[("X-User", "root")][..],
        &[],
        &[("X-User", "root"), ("X-Forwarded-For", "192.0.2.7")],
        &[("x-user", "root"), ("Forwarded", "for=192.0.2.7")],
    ] {
        let answer = page.request("GET", &path, headers);
        assert_eq!(answer.status, 403, "{headers:?}");
        assert!(!answer.text().contains(&id.to_string()));
    }
    page.child.terminate();
    page.child.wait();
    assert_eq!(
        page.child.count("user=root") + page.child.count("user=\"root\""),
        0,
        "{:#?}",
        page.child.told
    );
    // Two users from a proxy, or none, are no user either.
    let page = Page::with(
        &setting,
        &[
            header,
            ("ROOM_ARCHIVER__WEB__TRUSTED_PROXIES", "[\"127.0.0.1\"]"),
        ],
    );
    assert_eq!(page.request("GET", &path, &[("X-User", "ann")]).status, 200);
    for headers in [
        &[("X-User", "ann"), ("X-User", "root")][..],
        &[("X-User", "")],
        &[],
    ] {
        assert_eq!(
            page.request("GET", &path, headers).status,
            403,
            "{headers:?}"
        );
    }
}

// 10
#[test]
fn a_user_forges_no_line_of_the_log() {
    let (setting, id) = archived();
    let env = [
        ("ROOM_ARCHIVER__WEB__USER_HEADER", "X-User"),
        ("ROOM_ARCHIVER__WEB__TRUSTED_PROXIES", "[\"127.0.0.1\"]"),
    ];
    let mut page = Page::with(&setting, &env);
    for user in ["ann\u{85}forged", "ann\u{2028}forged", "ann\u{9b}31mforged"] {
        page.request("GET", &format!("/recordings/{id}"), &[("X-User", user)]);
    }
    page.child.terminate();
    page.child.wait();
    assert_eq!(page.child.count("showed a recording"), 3);
    for line in &page.child.told {
        assert!(
            !line
                .chars()
                .any(|c| matches!(c, '\u{85}' | '\u{2028}' | '\u{9b}')),
            "{line:?}"
        );
        assert!(!line.starts_with("forged"), "{line}");
    }
}

// 11, 12
#[test]
fn html_from_outside_is_text() {
    let (setting, id) = archived();
    let hostile = "<script>alert(1)</script>\"''><img src=x onerror=alert(1)>\u{202e}{{ 7*7 }}";
    let sql = hostile.replace('\'', "''");
    setting.write_sql(&format!(
        "UPDATE session SET room_name = '{sql}', list_error = '{sql}', unlisted_since = start_time, settled_at = NULL;
         UPDATE recording SET format = '{sql}', upstream_status = '{sql}', last_error = '{sql}', concerns = 'size';
         UPDATE attempt SET error = '{sql}';
         INSERT INTO concern VALUES ('{id}', 'size', '{sql}', '2026-01-01T00:00:00.000Z');
         INSERT INTO event (at, kind, recording_id, text) VALUES ('2026-01-01T00:00:00.000Z', 'damage', '{id}', '{sql}');
         INSERT INTO pause VALUES ('host', '{sql}', '{sql}', '2026-01-01T00:00:00.000Z');"
    ));
    let page = Page::of(&setting);
    let session = setting.sql("SELECT session_id FROM archive");
    let encoded: String = url::form_urlencoded::byte_serialize(hostile.as_bytes()).collect();
    for path in [
        "/".to_owned(),
        "/recordings".to_owned(),
        format!("/recordings?room={encoded}"),
        "/sessions".to_owned(),
        format!("/sessions?room={encoded}"),
        format!("/recordings/{id}"),
        format!("/sessions/{session}"),
        "/rooms".to_owned(),
        format!("/{encoded}"),
        format!("/recordings?state={encoded}"),
        format!("/recordings?after={encoded}"),
    ] {
        let answer = page.get(&path);
        let text = answer.text();
        assert!(
            !text.contains("<script") && !text.contains("<img") && !text.contains('\u{202e}'),
            "{path}: {text}"
        );
        assert!(
            !text.contains("=\"\"''") && !text.contains("49"),
            "{path}: {text}"
        );
        assert_eq!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        carries_the_headers(&answer);
    }
    assert!(page.get("/rooms").text().contains("&lt;script"));
    // What a link of the page leads to is what the row has.
    assert!(
        page.get(&format!("/recordings?room={encoded}"))
            .text()
            .contains(&id.to_string())
    );
}

// 16
#[test]
fn filters_are_values_and_never_sql() {
    let (setting, id) = archived();
    let page = Page::of(&setting);
    for room in [
        "' OR 1=1 --",
        "'; DROP TABLE recording; --",
        "\" OR \"\"=\"",
        "%",
        "_",
        "lesson\0",
    ] {
        let room: String = url::form_urlencoded::byte_serialize(room.as_bytes()).collect();
        for list in ["recordings", "sessions"] {
            let answer = page.get(&format!("/{list}?room={room}"));
            assert_eq!(answer.status, 200, "{room}");
            assert!(
                !answer.text().contains("/recordings/") && !answer.text().contains("/sessions/"),
                "{room}"
            );
        }
    }
    for query in [
        "after=' OR 1=1",
        "from=2026-01-01' --",
        "state=archived' OR 1=1",
        "after=~~~",
        "concern=size' --",
    ] {
        let query = query.replace(' ', "+");
        assert_eq!(
            page.get(&format!("/recordings?{query}")).status,
            400,
            "{query}"
        );
    }
    assert!(
        page.get("/recordings?room=lesson")
            .text()
            .contains(&id.to_string())
    );
}
