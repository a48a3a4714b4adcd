//! Each fault does what its name says, to the requests its rule is for.

mod common;

use std::time::Duration;

use common::{Reply, api, get, rows};
use fake_space::{
    Action, Answer, Gate, Generated, Media, NewRecording, NewSession, Options, Origin, Rule, Space,
};
use serde_json::json;

const SESSIONS: &str = "/api/video/room_sessions";
const SIZE: usize = 200_000;

/// A space with one recording of [`SIZE`] bytes, and a link to it.
async fn start() -> (Space, String) {
    let space = Space::start(Options::default()).await.unwrap();
    let session = space.add_session(NewSession::completed("room"));
    let media = Media::generated(Generated::of_size(SIZE as u64));
    let recording = space.add_recording(session, NewRecording::completed(media));
    let link = space.link(recording).unwrap();
    (space, link)
}

/// What the media store answers under these faults.
async fn media(actions: impl IntoIterator<Item = Action>, range: Option<&str>) -> Reply {
    let (space, link) = start().await;
    let mut actions = actions.into_iter();
    let rule = Rule::media(actions.next().unwrap());
    space.inject(actions.fold(rule, Rule::and));
    let headers: Vec<_> = range.map(|range| ("range", range)).into_iter().collect();
    get(&link, &headers).await
}

/// What the API answers to a list under this fault.
async fn list(action: Action) -> Reply {
    let (space, _) = start().await;
    space.inject(Rule::sessions(action));
    api(&space, SESSIONS).await
}

#[tokio::test]
async fn a_rule_acts_where_and_as_often_as_it_says() {
    let (space, link) = start().await;
    let rule = space.inject(Rule::sessions(Action::error(500)).from(2).times(2));
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(api(&space, SESSIONS).await.status);
        assert_eq!(get(&link, &[]).await.status, 200);
    }
    assert_eq!(statuses, [200, 500, 500, 200, 200]);
    assert_eq!(space.fired(rule), 2);
    space.inject(Rule::sessions(Action::error(503)).page(1));
    assert_eq!(api(&space, SESSIONS).await.status, 200);
    assert_eq!(
        api(&space, &format!("{SESSIONS}?page_number=1"))
            .await
            .status,
        503
    );
    space.clear_faults();
    let other = space.archivable("other").1;
    space.inject(Rule::any(Action::error(404)).of(other));
    assert_eq!(get(&link, &[]).await.status, 200);
    assert_eq!(get(&space.link(other).unwrap(), &[]).await.status, 404);
}

#[tokio::test]
async fn the_api_answers_what_is_no_list() {
    assert_eq!(
        list(Action::html(200)).await.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(list(Action::CutBody(40)).await.body.len(), 40);
    assert_eq!(list(Action::CutBody(0)).await.body.len(), 0);
    assert!(
        list(Action::data_missing())
            .await
            .json()
            .get("data")
            .is_none()
    );
    assert!(list(Action::data(json!(null))).await.json()["data"].is_null());
    assert_eq!(rows(&list(Action::duplicate_rows()).await.json()).len(), 2);
    assert_eq!(
        list(Action::DeepJson(5000))
            .await
            .text()
            .matches('[')
            .count(),
        5000
    );
    let reply = list(Action::OversizedJson(65 << 20)).await;
    assert!(reply.body.len() > 65 << 20);
    assert!(reply.json().is_object());
    let reply = list(Action::retry_after(429, "120")).await;
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (429, Some("120"))
    );
    let raw = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello";
    let reply = list(Action::Raw(raw.into())).await;
    assert_eq!(
        (reply.header("content-length"), reply.text()),
        (Some("5"), "hello".into())
    );
    let answer = Answer::new(502)
        .body("text/plain", "bad")
        .header("x-a", "b");
    let reply = list(Action::Answer(answer)).await;
    assert_eq!(
        (reply.status, reply.text(), reply.header("x-a")),
        (502, "bad".into(), Some("b"))
    );
}

#[tokio::test]
async fn pages_repeat_never_end_or_lead_away() {
    let page = list(Action::repeat_next()).await.json();
    assert_eq!(page["links"]["next"], page["links"]["self"]);
    let page = list(Action::next("https://elsewhere.example/api"))
        .await
        .json();
    assert_eq!(page["links"]["next"], "https://elsewhere.example/api");
    let (space, _) = start().await;
    space.inject(Rule::sessions(Action::endless_pages()));
    let mut next = SESSIONS.to_owned();
    let mut seen = Vec::new();
    for _ in 0..10 {
        assert!(!seen.contains(&next));
        seen.push(next.clone());
        let page = api(&space, &next).await.json();
        next = page["links"]["next"].as_str().unwrap().to_owned();
    }
}

#[tokio::test]
async fn rows_shift_when_a_page_was_served() {
    let (space, _) = start().await;
    let second = space.add_session(NewSession::running("second")).to_string();
    let add = Action::after(|space| {
        space.add_session(NewSession::running("third"));
    });
    space.inject(Rule::sessions(add).page(0).once());
    let first = api(&space, &format!("{SESSIONS}?page_size=1")).await.json();
    assert_eq!(rows(&first)[0]["id"], second);
    let next = api(&space, first["links"]["next"].as_str().unwrap())
        .await
        .json();
    assert_eq!(rows(&next)[0]["id"], second, "the same row comes twice");
}

#[tokio::test]
async fn connections_are_reset_closed_and_refused() {
    let reply = list(Action::Reset).await;
    assert!(reply.reset && reply.status == 0);
    let reply = list(Action::Close).await;
    assert!(!reply.reset && reply.status == 0);
    let (space, link) = start().await;
    space.refuse_connections(Origin::Media).await;
    let host = space.media_url().replace("http://", "");
    assert!(tokio::net::TcpStream::connect(&host).await.is_err());
    space.accept_connections(Origin::Media).await.unwrap();
    assert_eq!(get(&link, &[]).await.status, 200);
    space.shutdown().await;
    assert!(tokio::net::TcpStream::connect(&host).await.is_err());
}

#[tokio::test]
async fn a_dropped_space_frees_its_ports() {
    let (space, _) = start().await;
    let clone = space.clone();
    let host = space.media_url().replace("http://", "");
    drop(space);
    assert!(tokio::net::TcpStream::connect(&host).await.is_ok());
    drop(clone);
    while tokio::net::TcpStream::connect(&host).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_gate_holds_an_answer_until_it_is_opened() {
    let (space, link) = start().await;
    let gate = Gate::new();
    space.inject(Rule::media(Action::Hold(gate.clone())));
    let transfer = tokio::spawn(async move { get(&link, &[]).await });
    gate.arrived(1).await;
    assert_eq!(space.journal()[0].status, 0);
    gate.open();
    assert_eq!(transfer.await.unwrap().status, 200);
}

#[tokio::test]
async fn a_body_ends_early_or_late() {
    let declared = SIZE.to_string();
    for action in [Action::ResetAfter(50_000), Action::CloseAfter(50_000)] {
        let wants_reset = matches!(action, Action::ResetAfter(_));
        let reply = media([action], None).await;
        assert_eq!(reply.header("content-length"), Some(&*declared));
        assert_eq!((reply.body.len(), reply.reset), (50_000, wants_reset));
    }
    let reply = media([Action::LongerBy(1000)], None).await;
    assert_eq!(reply.header("content-length"), Some(&*declared));
    assert_eq!(reply.body.len(), SIZE + 1000);
    let reply = media([Action::DeclareLength(7)], None).await;
    assert_eq!(
        (reply.header("content-length"), reply.body.len()),
        (Some("7"), SIZE)
    );
    let reply = media([Action::UntilClose], None).await;
    assert_eq!(
        (reply.header("content-length"), reply.body.len()),
        (None, SIZE)
    );
    let reply = media([Action::Chunked], None).await;
    assert_eq!(reply.header("transfer-encoding"), Some("chunked"));
    assert!(reply.body.len() > SIZE && reply.body.ends_with(b"\r\n0\r\n\r\n"));
    let reply = media([Action::Endless, Action::CloseAfter(3 << 20)], None).await;
    assert!(reply.body.len() > 3 << 20);
}

#[tokio::test]
async fn a_body_comes_slowly_or_stalls() {
    let reply = media([Action::Trickle(20_000, Duration::from_millis(1))], None).await;
    assert_eq!(reply.body.len(), SIZE);
    let reply = media([Action::Bandwidth(20_000_000)], None).await;
    assert_eq!(reply.body.len(), SIZE);
    let slowly = Action::TrickleHead(20, Duration::from_millis(1));
    let reply = media([slowly], None).await;
    assert_eq!((reply.status, reply.body.len()), (200, SIZE));
    let (space, link) = start().await;
    let gate = Gate::new();
    space.inject(Rule::media(Action::StallAfter(1000, gate.clone())));
    let transfer = tokio::spawn(async move { get(&link, &[]).await });
    gate.arrived(1).await;
    space.wait_for(|seen| seen[0].body_bytes_sent == 1000).await;
    assert!(!space.journal()[0].finished);
    gate.open();
    assert_eq!(transfer.await.unwrap().body.len(), SIZE);
}

#[tokio::test]
async fn ranges_are_answered_wrongly() {
    let range = Some("bytes=1000-");
    let reply = media([Action::IgnoreRange], range).await;
    assert_eq!((reply.status, reply.body.len()), (200, SIZE));
    let reply = media([Action::UnaskedPartial(10)], None).await;
    assert_eq!(reply.status, 206);
    assert_eq!(
        reply.header("content-range"),
        Some("bytes 10-199999/200000")
    );
    let reply = media([Action::ShiftRange(-10)], range).await;
    assert_eq!(
        reply.header("content-range"),
        Some("bytes 990-199999/200000")
    );
    let reply = media([Action::RangeTotal("300000".to_owned())], range).await;
    assert_eq!(
        reply.header("content-range"),
        Some("bytes 1000-199999/300000")
    );
    let reply = media([Action::Multipart], range).await;
    assert!(
        reply
            .header("content-type")
            .unwrap()
            .starts_with("multipart/byteranges")
    );
    assert_eq!(
        reply.header("content-length"),
        Some(&*reply.body.len().to_string())
    );
    assert_eq!(media([Action::NotSatisfiable], range).await.status, 416);
}

#[tokio::test]
async fn headers_lie() {
    let reply = media([Action::header("etag", "W/\"weak\"")], None).await;
    assert_eq!(reply.header("etag"), Some("W/\"weak\""));
    assert!(
        media([Action::no_header("etag")], None)
            .await
            .header("etag")
            .is_none()
    );
    let reply = media([Action::header("content-encoding", "gzip")], None).await;
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    let reply = media([Action::s3_error(200, "InternalError")], None).await;
    assert_eq!(reply.header("content-type"), Some("application/xml"));
    let past = "Thu, 01 Jan 1970 00:00:00 GMT";
    assert_eq!(
        media([Action::header("date", past)], None)
            .await
            .header("date"),
        Some(past)
    );
}

#[tokio::test]
async fn redirects_lead_on_round_and_away() {
    let follow = async |space: &Space, link: &str| {
        let (mut url, mut hops) = (link.to_owned(), 0);
        loop {
            let reply = get(&url, &[]).await;
            let Some(location) = reply.header("location") else {
                return (hops, reply);
            };
            hops += 1;
            url = match location.strip_prefix('/') {
                Some(path) => format!("{}/{path}", space.media_url()),
                None => location.to_owned(),
            };
            if hops == 10 {
                return (hops, reply);
            }
        }
    };
    for (action, hops, status) in [
        (Action::Bounce(302, 1), 1, 200),
        (Action::Bounce(307, 3), 3, 200),
        (Action::BounceToApi(302), 1, 200),
        (Action::RedirectLoop(302), 10, 302),
    ] {
        let (space, link) = start().await;
        space.inject(Rule::media(action));
        let (took, reply) = follow(&space, &link).await;
        assert_eq!((took, reply.status), (hops, status));
        assert_eq!(reply.body.len(), if status == 200 { SIZE } else { 0 });
    }
    let reply = media(
        [Action::Redirect(301, "file:///etc/passwd".to_owned())],
        None,
    )
    .await;
    assert_eq!(
        (reply.status, reply.header("location")),
        (301, Some("file:///etc/passwd"))
    );
}

#[tokio::test]
async fn the_journal_tells_what_was_asked_and_sent() {
    let (space, link) = start().await;
    get(
        &link,
        &[
            ("range", "bytes=0-9"),
            ("referer", "x"),
            ("accept-encoding", "identity"),
        ],
    )
    .await;
    api(&space, &format!("{SESSIONS}?page_size=7")).await;
    space
        .wait_for(|seen| seen.len() == 2 && seen.iter().all(|seen| seen.finished))
        .await;
    let seen = space.journal();
    assert!(seen[0].is_media() && !seen[1].is_media());
    assert_eq!(seen[0].range.as_deref(), Some("bytes=0-9"));
    assert_eq!(seen[0].referer.as_deref(), Some("x"));
    assert_eq!(seen[0].accept_encoding.as_deref(), Some("identity"));
    assert_eq!((seen[0].status, seen[0].body_bytes_sent), (206, 10));
    assert!(seen[0].authorization.is_none() && seen[1].authorization.is_some());
    assert_eq!(seen[1].param("page_size"), Some("7"));
    space.clear_journal();
    assert!(space.journal().is_empty());
    assert_eq!(space.counters().media_requests, 0);
}
