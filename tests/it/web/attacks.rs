//! Twenty attacks on the page. None succeeds.

use std::os::unix::fs::symlink;

use super::{Answer, Page};
use crate::harness::{BY_ID, Setting, media};

const SECRET: &str = "root:x:0:0";

/// An archive with one recording, and its id.
fn archived() -> (Setting, uuid::Uuid) {
    let setting = Setting::with(BY_ID);
    let id = setting.add_media(&media(5_000));
    setting.once(0);
    (setting, id)
}

fn carries_the_headers(answer: &Answer) {
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(
        policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(
        !policy.contains("unsafe") && !policy.contains("script"),
        "{policy}"
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(
        answer.header("cross-origin-resource-policy"),
        Some("same-origin")
    );
}

// 1
#[test]
fn a_page_elsewhere_whose_name_leads_here_gets_nothing() {
    let (setting, id) = archived();
    let page = Page::of(&setting);
    for host in [
        "evil.example",
        "evil.example:8480",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "user@localhost",
        "",
    ] {
        for path in [
            "/".to_owned(),
            format!("/media/{id}"),
            "/style.css".to_owned(),
        ] {
            let answer = page.request("GET", &path, &[("Host", host)]);
            assert_eq!(answer.status, 421, "{host}");
            assert!(!answer.text().contains("archived"), "{}", answer.text());
            carries_the_headers(&answer);
        }
    }
}

// 2, 3
#[test]
fn two_hosts_or_another_in_the_address_are_refused() {
    let (setting, _) = archived();
    let page = Page::of(&setting);
    let two = page.raw(
        "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    );
    assert!([400, 421].contains(&two.status), "{two:?}");
    let absolute = page
        .raw("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!([400, 421].contains(&absolute.status), "{absolute:?}");
    let none = page.raw("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(none.status, 421);
}

// 4
#[test]
fn paths_that_climb_lead_nowhere() {
    let (setting, id) = archived();
    let page = Page::of(&setting);
    for path in [
        "/media/../../../../etc/passwd",
        "/media/..%2f..%2f..%2fetc%2fpasswd",
        "/media/%2e%2e/%2e%2e/etc/passwd",
        "/media//etc/passwd",
        "/media/%00",
        "/../config.toml",
        "/style.css/../../config.toml",
        "/recordings/..%2f..%2fconfig.toml",
        &format!("/media/{id}/../../.room-archiver"),
        &format!("/media/{id}%00.mp4"),
        &format!("/media/{id}%2f.."),
    ] {
        let answer = page.get(path);
        assert!(
            [400, 404].contains(&answer.status),
            "{path}: {}",
            answer.status
        );
        let text = answer.text();
        assert!(
            !text.contains(SECRET) && !text.contains("project_id"),
            "{path}: {text}"
        );
    }
}

// 5, 6
#[test]
fn a_symbolic_link_swapped_in_is_not_followed() {
    let (setting, id) = archived();
    let page = Page::of(&setting);
    let target = setting.target(id);
    let outside = setting.directory.path().join("outside");
    std::fs::create_dir(&outside).expect("a directory");
    // Of the right size, so that nothing but the link can give it away.
    std::fs::write(
        outside.join(target.file_name().expect("a name")),
        vec![b'S'; 5_000],
    )
    .expect("a file");
    std::fs::remove_file(&target).expect("a file");
    symlink(outside.join(target.file_name().expect("a name")), &target).expect("a link");
    let answer = page.get(&format!("/media/{id}"));
    assert_eq!(answer.status, 503);
    assert!(!answer.text().contains("SSSS"));
    // The same with a directory.
    std::fs::remove_file(&target).expect("a link");
    let room = target.parent().expect("a directory");
    std::fs::remove_dir(room).expect("it is empty");
    symlink(&outside, room).expect("a link");
    let answer = page.get(&format!("/media/{id}"));
    assert_eq!(answer.status, 503);
    assert!(!answer.text().contains("SSSS"));
}

// 7
#[test]
fn a_path_in_the_database_that_leaves_the_archive_is_not_opened() {
    let (setting, id) = archived();
    let page = Page::of(&setting);
    let size = std::fs::metadata("/etc/passwd").expect("a file").len();
    for path in [
        "../../../../../../../../etc/passwd",
        "/etc/passwd",
        "lesson/../../../../../../etc/passwd",
    ] {
        setting.write_sql(&format!(
            "UPDATE recording SET path = '{path}', archived_bytes = {size}"
        ));
        let answer = page.get(&format!("/media/{id}"));
        assert_eq!(answer.status, 503);
        assert!(!answer.text().contains(SECRET), "{path}");
    }
}

// 8
#[test]
fn a_pipe_in_place_of_a_file_blocks_nobody() {
    let (setting, id) = archived();
    let page = Page::of(&setting);
    std::fs::remove_file(setting.target(id)).expect("a file");
    let made = std::process::Command::new("mkfifo")
        .arg(setting.target(id))
        .status();
    assert!(made.expect("mkfifo").success());
    assert_eq!(page.get(&format!("/media/{id}")).status, 503);
    assert_eq!(page.get("/").status, 200);
}

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

// 13
#[test]
fn a_file_that_looks_like_a_page_is_no_page() {
    let (setting, id) = archived();
    let html = b"<!doctype html><script>alert(document.domain)</script>";
    std::fs::write(setting.target(id), html).expect("a file");
    setting.write_sql(&format!(
        "UPDATE recording SET archived_bytes = {}, format = 'text/html'",
        html.len()
    ));
    let page = Page::of(&setting);
    let answer = page.get(&format!("/media/{id}"));
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
    assert!(
        answer
            .header("content-disposition")
            .expect("a name")
            .starts_with("attachment;")
    );
    assert!(
        answer
            .header("content-security-policy")
            .expect("a policy")
            .ends_with("sandbox")
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

// 14
#[test]
fn absurd_ranges_cost_nothing() {
    let (setting, id) = archived();
    let page = Page::of(&setting);
    let many = format!("bytes={}", "0-,".repeat(2_000));
    for range in [
        many.as_str(),
        "bytes=0-18446744073709551615",
        "bytes=18446744073709551615-18446744073709551615",
        "bytes=-18446744073709551616",
        "bytes=9999-1",
        "bytes=\u{ff}",
    ] {
        let answer = page.request("GET", &format!("/media/{id}"), &[("Range", range)]);
        assert!(
            [200, 206, 416].contains(&answer.status),
            "{}",
            answer.status
        );
        assert!(answer.body.len() <= 5_000);
    }
}

// 15
#[test]
fn nothing_but_reading_is_possible() {
    let (setting, id) = archived();
    let before = setting.sql("SELECT * FROM archive");
    let page = Page::of(&setting);
    for method in [
        "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get",
    ] {
        for path in [
            "/".to_owned(),
            format!("/recordings/{id}"),
            format!("/media/{id}"),
        ] {
            let answer = page.request(method, &path, &[("Content-Length", "0")]);
            assert!(
                [400, 405, 421].contains(&answer.status),
                "{method}: {}",
                answer.status
            );
        }
    }
    assert_eq!(
        page.request("POST", "/", &[("Content-Length", "0")])
            .header("allow"),
        Some("GET, HEAD")
    );
    assert_eq!(setting.sql("SELECT * FROM archive"), before);
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

// 17, 18
#[test]
fn huge_requests_are_refused() {
    let (setting, _) = archived();
    let page = Page::of(&setting);
    let long = "x".repeat(100_000);
    for request in [
        format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {long}\r\nConnection: close\r\n\r\n"),
        format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
            "A: b\r\n".repeat(5_000)
        ),
        format!(
            "GET /recordings?{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            "a=b&".repeat(2_000)
        ),
    ] {
        let answer = page.raw(&request);
        assert!(
            [0, 400, 414, 431].contains(&answer.status),
            "{}",
            answer.status
        );
    }
    assert_eq!(page.get("/").status, 200);
}

// 19
#[test]
fn viewers_who_never_end_their_requests_keep_out_nobody() {
    let (setting, id) = archived();
    let page = Page::of(&setting);
    let slow: Vec<_> = (0..100)
        .map(|_| page.open("GET / HTTP/1.1\r\nHost: loc"))
        .collect();
    assert_eq!(page.get(&format!("/media/{id}")).status, 200);
    drop(slow);
}

// 20
#[test]
fn one_request_can_not_hide_in_another() {
    let (setting, _) = archived();
    let page = Page::of(&setting);
    for request in [
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\nGET /rooms HTTP/1.1\r\nHost: evil\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nxx",
        "GET / HTTP/1.1\r\nHost : localhost\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\n X: y\r\nConnection: close\r\n\r\n",
    ] {
        let answer = page.raw(request);
        let answers = String::from_utf8_lossy(&answer.body)
            .matches("HTTP/1.1 ")
            .count();
        assert_eq!(answers, 0, "{answer:?}");
        assert!([200, 400, 421].contains(&answer.status), "{answer:?}");
    }
}
