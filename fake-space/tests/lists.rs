//! Lists: order, paging, and what a test can change in them.

mod common;

use std::collections::HashSet;
use std::time::Instant;

use chrono::TimeDelta;
use common::{api, rows, walk};
use fake_space::{
    Action, BulkSpec, ErrorFormat, List, NewRecording, NewSession, NextLinks, Options, Order,
    Patch, Rule, Space,
};
use serde_json::{Value, json};

const SESSIONS: &str = "/api/video/room_sessions";
const RECORDINGS: &str = "/api/video/room_recordings";

async fn start() -> Space {
    Space::start(Options::default()).await.unwrap()
}

#[tokio::test]
async fn rows_come_newest_first_oldest_first_or_in_no_order() {
    let space = start().await;
    let now = space.now();
    let add = |minutes| {
        let start = now - TimeDelta::minutes(minutes);
        let session = NewSession::completed("room").at(start, Some(start));
        space.add_session(session).to_string()
    };
    let (middle, old, new) = (add(20), add(30), add(10));
    let newest = [new, middle, old];
    assert_eq!(walk(&space, SESSIONS).await, newest);
    space.configure(|options| options.order = Order::OldestFirst);
    let mut oldest = walk(&space, SESSIONS).await;
    oldest.reverse();
    assert_eq!(oldest, newest);
    space.configure(|options| options.order = Order::Shuffled(5));
    let shuffled = walk(&space, &format!("{SESSIONS}?page_size=1")).await;
    assert_eq!(HashSet::<_>::from_iter(&shuffled), newest.iter().collect());
}

#[tokio::test]
async fn pages_are_walked_by_links_absolute_or_relative_and_capped() {
    let space = start().await;
    for _ in 0..7 {
        space.add_session(NewSession::running("room"));
    }
    for links in [NextLinks::Absolute, NextLinks::Relative] {
        space.configure(|options| options.next_links = links);
        let page = api(&space, &format!("{SESSIONS}?page_size=3")).await.json();
        let next = page["links"]["next"].as_str().unwrap();
        assert_eq!(next.starts_with("http"), links == NextLinks::Absolute);
        let ids: HashSet<_> = walk(&space, next).await.into_iter().collect();
        assert_eq!(ids.len(), 4);
    }
    space.configure(|options| options.page_size_cap = 2);
    let page = api(&space, &format!("{SESSIONS}?page_size=1000"))
        .await
        .json();
    assert_eq!(rows(&page).len(), 2);
}

#[tokio::test]
async fn every_computed_row_comes_once_in_any_order() {
    let space = start().await;
    space.add_bulk(BulkSpec::new(50, 3, space.now()));
    space.archivable("room");
    for order in [Order::NewestFirst, Order::OldestFirst, Order::Shuffled(3)] {
        space.configure(|options| options.order = order);
        let ids = walk(&space, &format!("{RECORDINGS}?page_size=40")).await;
        assert_eq!(ids.len(), 151);
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 151);
        let session = space
            .recording(ids[70].parse().unwrap())
            .unwrap()
            .session_id;
        let siblings = walk(&space, &format!("{SESSIONS}/{session}/recordings")).await;
        assert!(siblings.contains(&ids[70]));
        assert_eq!(siblings.len(), 3);
    }
}

#[tokio::test]
async fn a_page_of_a_million_rows_is_made_at_once() {
    let space = start().await;
    space.add_bulk(BulkSpec::new(100_000, 10, space.now()));
    #[expect(clippy::disallowed_methods, reason = "real speed is what is measured")]
    let started = Instant::now();
    let first = api(&space, &format!("{RECORDINGS}?page_size=1000"))
        .await
        .json();
    let token = first["links"]["next"]
        .as_str()
        .unwrap()
        .replace("number=1&", "number=999&");
    let last = api(&space, &token).await.json();
    assert_eq!(rows(&last).len(), 1000);
    assert!(last["links"]["next"].is_null());
    assert!(started.elapsed().as_secs() < 5);
}

#[tokio::test]
async fn an_ended_session_and_a_completed_recording_show() {
    let space = start().await;
    let session = space.add_session(NewSession::running("room"));
    let new = NewRecording::default().status("recording");
    let recording = space.add_recording(session, new);
    let target = format!("{RECORDINGS}/{recording}");
    let before = api(&space, &target).await.json();
    for field in ["uri", "size_in_bytes", "duration", "finished_at", "format"] {
        assert!(before[field].is_null(), "{field}");
    }
    space.end_session(session);
    space.complete(recording);
    let after = api(&space, &target).await.json();
    assert_eq!(after["status"], "completed");
    assert!(after["uri"].is_string());
    let session = api(&space, &format!("{SESSIONS}/{session}")).await.json();
    assert!(session["end_time"].is_string());
}

#[tokio::test]
async fn objects_can_be_shown_otherwise_than_they_are() {
    let space = start().await;
    let (session, recording) = space.archivable("room");
    space.patch(recording, Patch::null("duration"));
    space.patch(recording, Patch::remove("format"));
    space.patch(recording, Patch::set("started_at", "yesterday, about noon"));
    space.map_uri(recording, |uri| {
        uri.replacen("http://", "http://user:word@", 1)
    });
    let target = format!("{SESSIONS}/{session}/recordings");
    let row = rows(&api(&space, &target).await.json())[0].clone();
    assert!(row["duration"].is_null() && row.get("format").is_none());
    assert_eq!(row["started_at"], "yesterday, about noon");
    assert!(
        row["uri"]
            .as_str()
            .unwrap()
            .starts_with("http://user:word@")
    );
    space.unpatch(recording);
    let row = rows(&api(&space, &target).await.json())[0].clone();
    assert_eq!(row["format"], "video/mp4");
}

#[tokio::test]
async fn lists_can_hold_what_does_not_belong() {
    let space = start().await;
    let (_, recording) = space.archivable("room");
    let (other, _) = space.archivable("other");
    space.list_also_under(recording, other);
    space.add_raw(List::Sessions, json!("not even an object"));
    let rows_of = async |target: String| rows(&api(&space, &target).await.json()).clone();
    let under_other = rows_of(format!("{SESSIONS}/{other}/recordings")).await;
    let claimed = under_other
        .iter()
        .find(|row| row["id"] == recording.to_string());
    assert_eq!(claimed.unwrap()["room_session_id"], other.to_string());
    let sessions = rows_of(SESSIONS.to_owned()).await;
    assert_eq!(sessions.iter().filter(|row| row.is_string()).count(), 1);
    assert_eq!(
        sessions
            .iter()
            .filter(|row| matches!(row, Value::Object(_)))
            .count(),
        2
    );
}

#[tokio::test]
async fn long_pages_and_long_lived_links_can_be_refused_in_each_form() {
    let space = start().await;
    space.configure(|options| {
        options.page_size_max = 100;
        options.media_ttl_max = 3600;
    });
    for (form, attribute) in [
        (ErrorFormat::Listed, "/errors/0/attribute"),
        (ErrorFormat::Bare, "/attribute"),
    ] {
        space.configure(|options| options.error_format = form);
        for query in ["page_size=101", "media_ttl=3601"] {
            let reply = api(&space, &format!("{RECORDINGS}?{query}")).await;
            assert_eq!(reply.status, 422, "{query}");
            let named = reply.json().pointer(attribute).cloned();
            let (name, _) = query.split_once('=').unwrap();
            assert_eq!(named, Some(json!(name)));
        }
    }
    space.configure(|options| options.error_format = ErrorFormat::Unnamed);
    let reply = api(&space, &format!("{RECORDINGS}?page_size=101")).await;
    assert_eq!(reply.json(), json!({"error": "Unprocessable Entity"}));
    for query in ["", "?page_size=100&media_ttl=3600"] {
        assert_eq!(
            api(&space, &format!("{RECORDINGS}{query}")).await.status,
            200
        );
    }
}

#[tokio::test]
async fn a_text_of_a_body_is_replaced_by_what_need_not_be_json() {
    let space = start().await;
    space.add_session(NewSession::running("NAME"));
    space.inject(Rule::sessions(Action::replace("NAME", r"\ud83d")));
    let text = api(&space, SESSIONS).await.text();
    assert!(text.contains(r#""name":"\ud83d""#), "{text}");
}
