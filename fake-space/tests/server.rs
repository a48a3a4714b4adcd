//! The servers themselves: threads, connections, clocks.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;

use chrono::TimeDelta;
use common::{api, get};
use fake_space::{Generated, Media, NewRecording, NewSession, Options, Origin, Space};

#[test]
fn a_space_on_its_own_thread_serves_a_test_that_blocks() {
    let space = Space::start_on_own_thread(Options::default()).unwrap();
    let host = space.api_url().replace("http://", "");
    let mut stream = TcpStream::connect(&host).unwrap();
    stream
        .write_all(b"GET /api/video/room_sessions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 401 Unauthorized\r\n"));
    drop(space);
    while TcpStream::connect(&host).is_ok() {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_space_on_its_own_thread_takes_connections_again() {
    let space = Space::start_on_own_thread(Options::default()).unwrap();
    space.refuse_connections(Origin::Api).await;
    space.accept_connections(Origin::Api).await.unwrap();
    assert_eq!(api(&space, "/api/video/room_sessions").await.status, 200);
}

#[test]
fn a_connection_serves_one_request_after_another() {
    let space = Space::start_on_own_thread(Options::default()).unwrap();
    let (_, recording) = space.archivable("room");
    let link = space.link(recording).unwrap();
    let (host, target) = link
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    for last in ["keep-alive", "keep-alive", "close"] {
        let request = format!(
            "GET /{target} HTTP/1.1\r\nhost: {host}\r\nrange: bytes=0-3\r\nconnection: {last}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
    }
    let mut replies = Vec::new();
    stream.read_to_end(&mut replies).unwrap();
    let text = String::from_utf8_lossy(&replies);
    assert_eq!(text.matches("HTTP/1.1 206 Partial Content").count(), 3);
}

#[tokio::test]
async fn the_date_and_the_links_follow_a_clock_that_is_years_off() {
    let space = Space::start(Options::default()).await.unwrap();
    space.set_clock_offset(TimeDelta::days(-3650));
    let session = space.add_session(NewSession::completed("room"));
    let media = Media::generated(Generated::of_size(2000));
    let recording = space.add_recording(session, NewRecording::completed(media));
    let link = space.link(recording).unwrap();
    let year = space.now().format("%Y").to_string();
    assert!(link.contains(&format!("X-Amz-Date={year}")));
    let reply = get(&link, &[]).await;
    assert_eq!(reply.status, 200);
    assert!(reply.header("date").unwrap().contains(&year));
}

#[tokio::test]
async fn only_the_right_credentials_are_taken() {
    let space = Space::start(Options::default()).await.unwrap();
    let sessions = "/api/video/room_sessions";
    assert_eq!(api(&space, sessions).await.status, 200);
    let url = format!("{}{sessions}", space.api_url());
    let reply = get(&url, &[("authorization", "Basic d3Jvbmc6d3Jvbmc=")]).await;
    assert_eq!(reply.status, 401);
    let old = space.clone();
    space.refuse_credentials(Some(401));
    assert_eq!(api(&old, sessions).await.status, 401);
    space.refuse_credentials(None);
    space.configure(|options| "another".clone_into(&mut options.token));
    assert_eq!(space.token(), "another");
    assert_eq!(api(&space, sessions).await.status, 200);
}
