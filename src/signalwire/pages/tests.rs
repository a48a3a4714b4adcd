use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use url::Url;

use super::{Error, Page, next_url, read_page};
use crate::cooldown::parse_http_date;
use crate::model::{Listed, Session};
use crate::signalwire::{Arrival, Item};

const ID: &str = "0b5c3c7e-58a1-4c50-9ea5-000000000001";
const LINK: &str = "https://media.example.com/a.mp4?X-Amz-Signature=s3cret";

fn arrival() -> Arrival {
    Arrival {
        at: Duration::from_secs(1000),
        ttl: Duration::from_mins(15),
        date: parse_http_date("Mon, 23 Nov 2026 20:02:27 GMT"),
    }
}

fn read<T: Item>(body: &[u8]) -> Result<Page<T>, String> {
    read_page(body, arrival()).map(|(page, _)| page)
}

fn list(items: &[Value]) -> Vec<u8> {
    json!({"links": {"next": null}, "data": items})
        .to_string()
        .into_bytes()
}

fn whole() -> Value {
    json!({
        "id": ID, "room_session_id": ID, "name": "lesson", "status": "completed",
        "started_at": "2026-11-23T20:02:27Z", "duration": 4.66, "size_in_bytes": 5, "format": "video/mp4",
        "uri": LINK, "preview_url": LINK,
    })
}

/// How many links a kept object holds.
fn links_in(value: &Value) -> usize {
    match value {
        Value::Object(object) => {
            let named = |key: &str| usize::from(object.contains_key(key));
            named("uri") + named("preview_url") + object.values().map(links_in).sum::<usize>()
        }
        Value::Array(items) => items.iter().map(links_in).sum(),
        Value::String(text) => usize::from(text.starts_with("https://") && text.contains('?')),
        _ => 0,
    }
}

fn kept(upstream: &str) -> Value {
    serde_json::from_str(upstream).expect("what is kept is JSON")
}

fn request() -> Url {
    Url::parse("https://example.signalwire.com/api/video/room_sessions?page_size=2").expect("a URL")
}

fn next(text: &str) -> Result<Option<Url>, Error> {
    next_url(&request(), Some(&Value::from(text)))
}

#[test]
fn a_text_that_is_not_utf_8_spoils_no_other_item() {
    let mut body = list(&[whole(), whole()]);
    let at = body.windows(6).position(|part| part == b"lesson");
    body[at.expect("a name")] = 0xff;
    let page: Page<Session> = read(&body).expect("a page");
    assert_eq!(page.rejected, []);
    let names: Vec<_> = page
        .items
        .iter()
        .map(|item| item.room_name.as_deref())
        .collect();
    assert_eq!(names, [Some("\u{fffd}esson"), Some("lesson")]);
}

#[test]
fn lone_surrogates_are_repaired_wherever_they_stand() {
    let item = json!({"id": ID, "name": "SURROGATE"}).to_string();
    for (body, walks_on) in [
        (format!(r#"{{"data": [{item}]}}"#), false),
        (
            format!(r#"{{"links": {{"next": "?a=SURROGATE"}}, "data": [{item}]}}"#),
            true,
        ),
    ] {
        let body = body.replace("SURROGATE", r"les\udc00son\ud83d");
        let (page, next) = read_page::<Session>(body.as_bytes(), arrival()).expect("a page");
        assert_eq!(page.items.len(), 1, "{body}: {:?}", page.rejected);
        let name = page.items[0].room_name.as_deref();
        assert_eq!(name, Some("les\u{fffd}son\u{fffd}"));
        assert_eq!(next.is_some(), walks_on);
        assert_eq!(
            kept(&page.items[0].upstream)["name"],
            "les\u{fffd}son\u{fffd}"
        );
    }
}

#[test]
fn odd_links_end_the_walk_and_spoil_no_page() {
    for (links, ends_well) in [
        (json!({}), true),
        (json!([]), true),
        (json!("next"), false),
        (json!([1]), false),
        (json!(7), false),
    ] {
        let body = json!({"links": links, "data": [whole()]}).to_string();
        let (page, next) = read_page::<Listed>(body.as_bytes(), arrival()).expect("a page");
        assert_eq!(page.items.len(), 1, "{links}");
        let next = next_url(&request(), next.as_ref());
        assert_eq!(next.is_ok(), ends_well, "{links}: {next:?}");
    }
}

#[test]
fn no_link_is_kept_whatever_its_name_and_depth() {
    let mut object = whole();
    object["download"] = LINK.into();
    object["more"] = json!({"uri": "/a", "all": [LINK, "http", {"preview_url": 1, "about": "https://example.com/"}]});
    let body = list(&[object]);
    let session = &read::<Session>(&body).expect("a page").items[0].upstream;
    let recording = &read::<Listed>(&body).expect("a page").items[0]
        .recording
        .upstream;
    for upstream in [session, recording] {
        assert!(!upstream.contains("s3cret"), "{upstream}");
        let kept = kept(upstream);
        assert_eq!(
            kept["more"],
            json!({"all": ["http", {"about": "https://example.com/"}]})
        );
        assert_eq!(kept["name"], "lesson");
    }
}

/// Any JSON, with what hurts in it.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(Value::from(LINK)),
        Just(Value::from(ID)),
        Just(Value::from("9999-12-31T23:59:59Z")),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..6)
                .prop_map(|object| object.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

/// The names that are read, and others.
fn key() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "id",
        "room_session_id",
        "name",
        "status",
        "uri",
        "preview_url",
        "started_at",
        "start_time",
        "end_time",
        "updated_at",
        "duration",
        "size_in_bytes",
        "format",
        "cost_in_dollars",
        "links",
        "next",
        "data",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => any::<String>()]
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        _ = read::<Session>(&body);
        _ = read::<Listed>(&body);
    }

    #[test]
    fn no_altered_page_makes_it_panic(changes in prop::collection::vec((0..600usize, any::<u8>()), 1..8), cut in 0..700usize) {
        let mut body = list(&[whole(), whole()]);
        for (at, byte) in changes {
            if let Some(old) = body.get_mut(at) {
                *old = byte;
            }
        }
        body.truncate(cut);
        _ = read::<Session>(&body);
        _ = read::<Listed>(&body);
    }

    #[test]
    fn any_json_is_read_or_refused(body in value()) {
        let body = body.to_string();
        _ = read::<Session>(body.as_bytes());
        _ = read::<Listed>(body.as_bytes());
    }

    #[test]
    fn a_bad_item_never_spoils_the_others(bad in value(), before in 0..3usize, after in 0..3usize) {
        let mut items = vec![whole(); before];
        items.push(bad);
        items.extend(vec![whole(); after]);
        let body = list(&items);
        let listed: Page<Listed> = read(&body).expect("a page");
        let sessions: Page<Session> = read(&body).expect("a page");
        for (read, rejected) in [
            (listed.items.len(), listed.rejected),
            (sessions.items.len(), sessions.rejected),
        ] {
            prop_assert!(read >= before + after);
            prop_assert_eq!(read + rejected.len(), items.len());
            prop_assert!(rejected.iter().all(|rejected| rejected.index == before));
        }
    }

    #[test]
    fn what_is_kept_of_an_item_holds_no_link(
        object in prop::collection::btree_map(key(), value(), 0..8),
        nested in value(),
    ) {
        let mut object: Map<_, _> = object.into_iter().collect();
        object.insert("id".to_owned(), ID.into());
        object.insert("uri".to_owned(), LINK.into());
        object.insert("meta".to_owned(), nested);
        let body = list(&[object.into()]);
        let listed = &read::<Listed>(&body).expect("a page").items[0];
        let session = &read::<Session>(&body).expect("a page").items[0];
        prop_assert!(listed.link.is_some());
        for upstream in [&listed.recording.upstream, &session.upstream] {
            prop_assert_eq!(links_in(&kept(upstream)), 0, "{}", upstream);
        }
    }

    #[test]
    fn a_next_link_never_leaves_the_list(
        text in prop_oneof![
            any::<String>(),
            "(https?:)?[/\\\\]{0,3}(u@|u:p@|:p@)?(example\\.signalwire\\.com|evil\\.example|127\\.0\\.0\\.1)?(:[0-9]{0,5})?[/?#@\\\\\t ]{0,2}[a-z]{0,3}",
            "[a-z]{1,6}:[/a-z@.]{0,12}",
        ],
    ) {
        if let Ok(Some(next)) = next(&text) {
            // As it is sent, read anew.
            prop_assert!(next.as_str().starts_with("https://example.signalwire.com/"), "{}", next);
            let sent = Url::parse(next.as_str()).expect("a URL");
            prop_assert_eq!(sent.origin(), request().origin());
            prop_assert!(sent.username().is_empty() && sent.password().is_none());
            prop_assert_eq!(sent.path(), "/api/video/room_sessions");
        }
    }

    #[test]
    fn a_next_link_that_is_of_no_use_is_not_repeated(secret in "[a-z]{12}") {
        for text in [
            format!("https://{secret}.example/{secret}#page_token={secret}"),
            format!("https://{secret}@example.signalwire.com/"),
            format!("http://[{secret}?page_token={secret}"),
        ] {
            let error = next(&text).expect_err("a refusal").to_string();
            prop_assert!(!error.contains(&secret), "{}", error);
        }
    }
}
