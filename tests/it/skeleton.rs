//! The walking skeleton: one recording from a space to a verified file and a row.

use fake_space::{Fixture, Media, NewRecording, NewSession};
use room_archiver::clock::Clock;

use super::harness::Setting;

#[test]
fn one_recording_goes_from_the_space_to_a_verified_file_and_a_row() {
    let setting = Setting::with("");
    let session = setting.space.add_session(NewSession::completed("lesson"));
    let media = Media::fixture(Fixture::ThreeSeconds);
    let recording = setting
        .space
        .add_recording(session, NewRecording::completed(media.clone()));

    let done = setting.run(&["once"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");

    let files = setting.files();
    assert_eq!(files.len(), 1);
    let bytes = std::fs::read(&files[0]).expect("the file");
    let sha256 = super::harness::sha256(&bytes);
    assert_eq!(sha256, media.sha256());
    assert_eq!(
        setting.sql("SELECT recording_id, session_id, room_name, size_bytes, sha256 FROM archive"),
        format!("{recording}|{session}|lesson|{}|{sha256}", media.len())
    );
    let path = setting.sql("SELECT path FROM archive");
    assert_eq!(setting.recordings().join(path), files[0]);
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(0));
}

#[tokio::test]
async fn the_same_parts_run_in_this_process_with_a_clock_of_the_test() {
    let setting = Setting::with("");
    setting.space.archivable("lesson");
    let archive = setting.open(&Clock::manual(setting.space.now())).await;
    let report = archive.poll().await;
    assert_eq!((report.counts.recordings_new, report.error), (1, None));
    assert_eq!(archive.download().await, 1);
    assert_eq!(archive.counts().await.missing, 0);
    archive.close().await;
}
