//! Twenty attacks on the page. None succeeds. Here those on requests; the others by what they are about.

mod files;
mod foreign;

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
