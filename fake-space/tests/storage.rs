//! The media origin does what S3 does.

mod common;

use std::time::Duration;

use common::{get, send};
use fake_space::{BulkSpec, Fixture, Generated, Media, NewRecording, NewSession, Options, Space};

async fn space_with(media: Media) -> (Space, String) {
    let space = Space::start(Options::default()).await.unwrap();
    let session = space.add_session(NewSession::completed("room"));
    let recording = space.add_recording(session, NewRecording::completed(media));
    let link = space.link(recording).unwrap();
    (space, link)
}

async fn small() -> (Space, String, Media) {
    let media = Media::generated(Generated::of_size(5000));
    let (space, link) = space_with(media.clone()).await;
    (space, link, media)
}

fn bytes(media: &Media) -> Vec<u8> {
    media.read(0..media.len()).flatten().collect()
}

#[tokio::test]
async fn a_link_serves_the_whole_file_with_its_validators() {
    let (space, link, media) = small().await;
    let reply = get(&link, &[]).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body, bytes(&media));
    assert_eq!(reply.header("content-length"), Some("5000"));
    assert_eq!(reply.header("content-type"), Some("video/mp4"));
    assert_eq!(reply.header("accept-ranges"), Some("bytes"));
    assert_eq!(reply.header("etag"), Some(media.etag()));
    assert!(reply.header("last-modified").is_some());
    let disposition = reply.header("content-disposition").unwrap();
    assert!(disposition.starts_with("attachment; filename=\""));
    assert_eq!(space.counters().media_bytes, 5000);
}

#[tokio::test]
async fn ranges_are_served_labelled_and_refused_beyond_the_end() {
    let (_space, link, media) = small().await;
    for (range, label, from, to) in [
        ("bytes=0-0", "bytes 0-0/5000", 0, 1),
        ("bytes=4000-", "bytes 4000-4999/5000", 4000, 5000),
        ("bytes=10-9999", "bytes 10-4999/5000", 10, 5000),
        ("bytes=-3", "bytes 4997-4999/5000", 4997, 5000),
    ] {
        let reply = get(&link, &[("range", range)]).await;
        assert_eq!(reply.status, 206, "{range}");
        assert_eq!(reply.header("content-range"), Some(label));
        assert_eq!(reply.body, bytes(&media)[from..to]);
    }
    let reply = get(&link, &[("range", "bytes=5000-")]).await;
    assert_eq!(reply.status, 416);
    assert_eq!(reply.header("content-range"), Some("bytes */5000"));
    let reply = get(&link, &[("range", "bytes=0-1,3-4")]).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn if_range_and_if_match_hold_to_the_strong_validator() {
    let (_space, link, media) = small().await;
    let range = ("range", "bytes=100-");
    let same = get(&link, &[range, ("if-range", media.etag())]).await;
    assert_eq!((same.status, same.body.len()), (206, 4900));
    let other = get(&link, &[range, ("if-range", "\"other\"")]).await;
    assert_eq!((other.status, other.body.len()), (200, 5000));
    let refused = get(&link, &[range, ("if-match", "\"other\"")]).await;
    assert_eq!(refused.status, 412);
}

#[tokio::test]
async fn a_link_expires_by_the_spaces_clock_and_not_before() {
    let (space, link, _) = small().await;
    space.advance(Duration::from_secs(890));
    assert_eq!(get(&link, &[]).await.status, 200);
    space.advance(Duration::from_secs(11));
    let reply = get(&link, &[]).await;
    assert_eq!(reply.status, 403);
    assert!(reply.text().contains("<Code>AccessDenied</Code>"));
    assert!(
        reply
            .text()
            .contains("<Message>Request has expired</Message>")
    );
}

#[tokio::test]
async fn a_running_transfer_outlives_its_link() {
    let media = Media::generated(Generated::of_size(100_000));
    let (space, link) = space_with(media).await;
    let gate = fake_space::Gate::new();
    space.inject(fake_space::Rule::media(fake_space::Action::StallAfter(
        50_000,
        gate.clone(),
    )));
    let transfer = tokio::spawn(async move { get(&link, &[]).await });
    gate.arrived(1).await;
    space.advance(Duration::from_hours(1));
    gate.open();
    let reply = transfer.await.unwrap();
    assert_eq!((reply.status, reply.body.len()), (200, 100_000));
}

#[tokio::test]
async fn links_can_die_before_their_time_and_fresh_ones_live() {
    let (space, link, _) = small().await;
    space.kill_links();
    assert_eq!(get(&link, &[]).await.status, 403);
    let (_, recording) = space.archivable("room");
    let fresh = space.link(recording).unwrap();
    assert_eq!(get(&fresh, &[]).await.status, 200);
    space.configure(|options| options.real_link_life = Some(Duration::from_mins(1)));
    space.advance(Duration::from_secs(62));
    assert_eq!(get(&fresh, &[]).await.status, 403);
}

#[tokio::test]
async fn the_signature_covers_path_parameters_host_and_method() {
    let (_space, link, _) = small().await;
    let tampered = [
        link.replace("Expires=900", "Expires=901"),
        link.replace("video%2Fmp4", "text%2Fhtml"),
        link.replace("/files.signalwire.com/", "/files.signalwire.org/"),
        format!("{link}0"),
        format!("{link}&extra=1"),
    ];
    for link in tampered {
        let reply = get(&link, &[]).await;
        assert_eq!(reply.status, 403);
        assert!(reply.text().contains("<Code>SignatureDoesNotMatch</Code>"));
    }
    let unsigned = link.split('?').next().unwrap();
    let reply = get(unsigned, &[]).await;
    assert!(reply.text().contains("<Message>Access Denied</Message>"));
}

#[tokio::test]
async fn a_head_request_is_refused_without_a_body() {
    let (_space, link, _) = small().await;
    let reply = send("HEAD", &link, &[]).await;
    assert_eq!((reply.status, reply.body.len()), (403, 0));
}

#[tokio::test]
async fn credentials_beside_a_signature_are_refused() {
    let (_space, link, _) = small().await;
    let reply = get(&link, &[("authorization", "Basic eDp5")]).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("<Code>InvalidArgument</Code>"));
    assert!(reply.text().contains("Only one auth mechanism allowed"));
}

#[tokio::test]
async fn a_deleted_recording_is_no_such_key() {
    let space = Space::start(Options::default()).await.unwrap();
    let (_, recording) = space.archivable("room");
    let link = space.link(recording).unwrap();
    space.delete_recording(recording);
    let reply = get(&link, &[]).await;
    assert_eq!(reply.status, 404);
    assert!(reply.text().contains("<Code>NoSuchKey</Code>"));
}

#[tokio::test]
async fn the_marker_is_in_every_link_and_the_link_still_works() {
    let space = Space::start(Options {
        signature_marker: Some("canary".to_owned()),
        ..Options::default()
    })
    .await
    .unwrap();
    let (_, recording) = space.archivable("room");
    let link = space.link(recording).unwrap();
    assert!(link.contains("X-Amz-Signature=canary"));
    assert_eq!(get(&link, &[]).await.status, 200);
    assert_eq!(get(&link.replace("canary", ""), &[]).await.status, 403);
}

#[tokio::test]
async fn every_file_can_be_written_down_for_a_web_server() {
    let space = Space::start(Options::default()).await.unwrap();
    let (_, held) = space.archivable("room");
    space.add_bulk(BulkSpec::new(2, 1001, space.now()));
    let directory = std::env::temp_dir().join(format!("fake-space-export-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    assert_eq!(space.export(&directory).unwrap(), 2003);
    let written = std::fs::read(directory.join(format!("{held}.mp4"))).unwrap();
    let count = std::fs::read_dir(&directory).unwrap().count();
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(written, bytes(&Media::fixture(Fixture::OneSecondFastStart)));
    assert_eq!(count, 2003);
}

#[tokio::test]
async fn the_link_has_the_documented_shape() {
    let (space, link, _) = small().await;
    let path = format!(
        "{}/files.signalwire.com/{}/",
        space.media_url(),
        space.project_id()
    );
    assert!(link.starts_with(&path));
    assert_ne!(space.media_url(), space.api_url());
    for part in [
        "/video-room-recordings/",
        ".mp4?response-content-disposition=attachment%3B%20filename%3D%22",
        "&response-content-type=video%2Fmp4&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=",
        "&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=",
    ] {
        assert!(link.contains(part), "{part}");
    }
}
