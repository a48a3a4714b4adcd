//! A page of the API: whatever the body is, nothing panics, each item is read or rejected, and what is
//! kept of an item holds no link.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use room_archiver::model::{Listed, Session};
use room_archiver::signalwire::{Arrival, next_url, read_page};
use serde_json::Value;
use url::Url;

fuzz_target!(|body: &[u8]| {
    let arrival = Arrival {
        at: Duration::from_secs(1),
        ttl: Duration::from_secs(900),
        date: chrono::DateTime::from_timestamp(1_795_464_147, 0),
    };
    if let Ok((page, next)) = read_page::<Session>(body, arrival) {
        assert_eq!(page.items.len() + page.rejected.len(), items(body));
        for session in page.items {
            holds_no_link(&session.upstream);
        }
        follow(next.as_ref());
    }
    if let Ok((page, next)) = read_page::<Listed>(body, arrival) {
        assert_eq!(page.items.len() + page.rejected.len(), items(body));
        for listed in page.items {
            holds_no_link(&listed.recording.upstream);
            let link = listed.link.and_then(|link| link.read(listed.recording.id));
            assert!(link.is_none_or(|link| link.life_left(arrival.at) <= arrival.ttl));
            assert!(
                listed
                    .recording
                    .duration_seconds
                    .is_none_or(|seconds| seconds >= 0.0)
            );
            assert!(
                listed
                    .recording
                    .size_bytes
                    .is_none_or(|bytes| i64::try_from(bytes).is_ok())
            );
        }
        follow(next.as_ref());
    }
});

/// How many items a body holds, counted another way.
fn items(body: &[u8]) -> usize {
    #[derive(serde::Deserialize)]
    struct Counted {
        data: Vec<serde::de::IgnoredAny>,
    }
    let text = String::from_utf8_lossy(body);
    serde_json::from_str::<Counted>(&text)
        .expect("it was read")
        .data
        .len()
}

fn holds_no_link(upstream: &str) {
    let value: Value = serde_json::from_str(upstream).expect("what is kept is JSON");
    assert!(value.is_object());
    search(&value);
}

fn search(value: &Value) {
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| {
            assert!(key != "uri" && key != "preview_url");
            search(value);
        }),
        Value::Array(items) => items.iter().for_each(search),
        Value::String(text) => {
            assert!(
                !(text.starts_with("https://") && text.contains('?')),
                "a link was kept"
            );
        }
        _ => {}
    }
}

fn follow(next: Option<&Value>) {
    let request = Url::parse("https://example.signalwire.com/api/video/room_sessions?page_size=2");
    let request = request.expect("a URL");
    if let Ok(Some(next)) = next_url(&request, next) {
        assert_eq!(next.origin(), request.origin());
    }
}
