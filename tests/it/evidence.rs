//! What SignalWire has is kept, however odd: complete transfers end in the archive with the source's bytes, and
//! what is odd about them is noted.

use std::time::Duration;

use fake_space::{Action, Fixture, Generated, Media, NewRecording, Options, Reported, Rule};
use uuid::Uuid;

use super::harness::{Stage, content, media, sha256};

/// Longer than the wait before an odd file is compared with another transfer of it.
const SOME_MINUTES: Duration = Duration::from_mins(3);

/// A space with this recording, polled.
async fn stage(recording: NewRecording) -> (Stage, Uuid) {
    let more = "[download]\nretry_initial = \"2m\"\n";
    let stage = Stage::new(Options::default(), more).await;
    let session = stage.ended(Duration::from_mins(1));
    let id = stage.space().add_recording(session, recording);
    stage.archive.poll().await;
    (stage, id)
}

/// The recording is archived with the source's bytes and these concerns.
fn assert_archived(stage: &Stage, id: Uuid, media: &Media, concerns: &str) {
    let row = stage.setting.sql(&format!(
        "SELECT sha256, coalesce(concerns, '') FROM archive WHERE recording_id = '{id}'"
    ));
    assert_eq!(row, format!("{}|{concerns}", media.sha256()));
    let files = stage.setting.files();
    assert_eq!(files.len(), 1);
    let bytes = std::fs::read(&files[0]).expect("a file");
    assert_eq!(sha256(&bytes), media.sha256());
    let noted = stage
        .setting
        .sql("SELECT coalesce(group_concat(concern), '') FROM (SELECT concern FROM concerns ORDER BY concern)");
    assert_eq!(noted, concerns);
    assert!(stage.setting.parts().is_empty());
}

/// It is archived after a second transfer, which does not come sooner than some minutes after the first.
async fn kept_after_a_second_transfer(recording: NewRecording, rule: Option<Rule>, concerns: &str) {
    let media = recording.media.clone();
    let (stage, id) = stage(recording).await;
    if let Some(rule) = rule {
        stage.space().inject(rule);
    }
    assert_eq!(stage.archive.download().await, 0, "{concerns}");
    let left = stage.setting.sql("SELECT state, last_error FROM queue");
    assert!(
        left.starts_with("pending|the transfer is complete, but"),
        "{left}"
    );
    stage.pass_time(Duration::from_mins(1));
    assert_eq!(stage.archive.download().await, 0, "too soon");
    assert_eq!(stage.setting.media_requests().len(), 1);
    stage.pass_time(SOME_MINUTES);
    assert_eq!(stage.archive.download().await, 1, "{concerns}");
    assert_archived(&stage, id, &media, concerns);
    assert_eq!(stage.setting.media_requests().len(), 2);
}

fn video() -> Media {
    Media::fixture(Fixture::ThreeSeconds)
}

#[tokio::test]
async fn another_duration_than_reported_is_archived_at_once_with_a_concern() {
    for reported in [1, 60, 7200] {
        let (stage, id) = stage(NewRecording {
            duration: Some(reported),
            ..NewRecording::completed(video())
        })
        .await;
        assert_eq!(stage.archive.download().await, 1, "{reported}");
        assert_archived(&stage, id, &video(), "duration");
        assert_eq!(stage.setting.media_requests().len(), 1);
    }
}

#[tokio::test]
async fn another_size_than_reported_is_archived_after_a_second_transfer_with_a_concern() {
    let size = i64::try_from(video().len()).expect("a size");
    for reported in [size - 1, size + 1, size / 1024 * 1024, size * 103 / 100] {
        for rule in [None, Some(Rule::media(Action::Chunked))] {
            let recording = NewRecording::completed(video()).size(Reported::Value(reported));
            kept_after_a_second_transfer(recording, rule, "size").await;
        }
    }
}

#[tokio::test]
async fn the_recordings_own_size_is_preferred_to_the_lists() {
    let (stage, id) = stage(NewRecording::completed(video())).await;
    let wrong = Action::edit(|page| {
        for row in page["data"].as_array_mut().into_iter().flatten() {
            row["size_in_bytes"] = 1000.into();
        }
    });
    let lists = stage
        .space()
        .inject(Rule::api(wrong).path("/api/video/room_sessions/*/recordings"));
    stage.pass_time(Duration::from_mins(5));
    stage.archive.poll().await;
    assert!(stage.space().fired(lists) > 0);
    assert_eq!(stage.setting.sql("SELECT size_bytes FROM queue"), "1000");
    assert_eq!(stage.archive.download().await, 1);
    assert_archived(&stage, id, &video(), "");
    assert_eq!(stage.setting.media_requests().len(), 1);
}

#[tokio::test]
async fn a_file_that_is_broken_at_the_source_is_archived_after_a_second_transfer() {
    let whole = video();
    let broken = [
        whole.truncated(whole.len() / 2),
        whole.truncated(whole.len() - 1),
        Media::without_moov(Generated::of_size(1 << 20)),
    ];
    for media in broken {
        let (stage, _) = stage(NewRecording::completed(media.clone())).await;
        assert_eq!(stage.archive.download().await, 0);
        stage.pass_time(SOME_MINUTES);
        assert_eq!(stage.archive.download().await, 1);
        let noted = stage.setting.sql("SELECT concerns FROM archive");
        assert!(
            ["structure", "truncated", "structure,truncated"].contains(&&*noted),
            "{noted}"
        );
        assert_eq!(
            stage.setting.sql("SELECT sha256 FROM archive"),
            media.sha256()
        );
        assert_eq!(stage.setting.media_requests().len(), 2);
    }
}

#[tokio::test]
async fn stray_bytes_at_the_end_are_no_reason_to_doubt() {
    let tails: [&[u8]; 3] = [&[0; 4], b"\r\n", b"TAG"];
    for tail in tails {
        let tail = match tail {
            b"TAG" => [b"TAG".as_slice(), &[0; 125]].concat(),
            tail => tail.to_vec(),
        };
        let media = Media::bytes([content(&video()), tail].concat());
        let recording = NewRecording {
            duration: Some(3),
            ..NewRecording::completed(media.clone())
        };
        let (stage, _) = stage(recording).await;
        assert_eq!(stage.archive.download().await, 1);
        assert_eq!(
            stage.setting.sql("SELECT sha256 FROM archive"),
            media.sha256()
        );
        assert_eq!(stage.setting.media_requests().len(), 1);
    }
}

#[tokio::test]
async fn the_bytes_decide_what_a_file_is_and_what_it_is_called() {
    let webm = [
        &[0x1A, 0x45, 0xDF, 0xA3, 0x87, 0x42, 0x82, 0x84][..],
        b"webm",
        &[0x18, 0x53, 0x80, 0x67, 0x80],
    ]
    .concat();
    for (media, extension) in [(video(), "mp4"), (Media::bytes(webm), "webm")] {
        for label in ["text/plain", "video/ogg"] {
            let (stage, _) = stage(NewRecording::completed(media.clone())).await;
            let labelled = Action::edit(move |page| match page["data"].as_array_mut() {
                Some(rows) => rows.iter_mut().for_each(|row| row["format"] = label.into()),
                None => page["format"] = label.into(),
            });
            stage.space().inject(Rule::api(labelled));
            stage
                .space()
                .inject(Rule::media(Action::header("content-type", label)));
            stage.pass_time(Duration::from_mins(5));
            stage.archive.poll().await;
            assert_eq!(stage.archive.download().await, 0, "{label}");
            stage.pass_time(SOME_MINUTES);
            assert_eq!(stage.archive.download().await, 1, "{label}");
            let row = stage.setting.sql("SELECT path, concerns FROM archive");
            let (path, concerns) = row.split_once('|').expect("two columns");
            assert!(path.ends_with(&format!(".{extension}")), "{label}: {path}");
            assert!(concerns.split(',').any(|one| one == "type"), "{concerns}");
        }
    }
}

#[tokio::test]
async fn a_final_chunk_proves_that_a_body_of_unknown_size_is_complete() {
    for media in [video(), Media::fixture(Fixture::OneSecondFastStart)] {
        let (stage, id) = stage(NewRecording::completed(media.clone()).size(Reported::Null)).await;
        stage.space().inject(Rule::media(Action::Chunked));
        assert_eq!(stage.archive.download().await, 1);
        assert_archived(&stage, id, &media, "");
    }
    // Without the final chunk it is no complete transfer, whatever came of it.
    let (stage, _) = stage(NewRecording::completed(video()).size(Reported::Null)).await;
    let cut = Rule::media(Action::Chunked).and(Action::CloseAfter(video().len() - 10));
    stage.space().inject(cut);
    assert_eq!(stage.archive.download().await, 0);
    let error = stage.setting.sql("SELECT last_error FROM queue");
    assert!(!error.starts_with("complete"), "{error}");
    stage.pass_time(SOME_MINUTES);
    assert_eq!(stage.archive.download().await, 1, "it is gone on with");
    assert_eq!(
        stage.setting.sql("SELECT sha256 FROM archive"),
        video().sha256()
    );
}

#[tokio::test]
async fn a_file_that_still_changes_is_transferred_until_two_in_a_row_agree() {
    let first = video().truncated(5000);
    let last = video().truncated(6000);
    let (stage, id) = stage(NewRecording::completed(first)).await;
    assert_eq!(stage.archive.download().await, 0);
    stage
        .space()
        .update_recording(id, |recording| recording.media = last.clone());
    for _ in 0..2 {
        assert_eq!(stage.setting.count("archive"), "0");
        stage.pass_time(SOME_MINUTES);
        stage.archive.download().await;
    }
    assert_eq!(
        stage.setting.sql("SELECT sha256 FROM archive"),
        last.sha256()
    );
    assert_eq!(stage.setting.media_requests().len(), 3);
}

#[tokio::test]
async fn an_unchanged_validator_and_size_is_never_transferred_a_third_time() {
    let one = Media::bytes(vec![b'a'; 5000]);
    let other = Media::bytes(vec![b'b'; 5000]);
    let (stage, id) = stage(NewRecording::completed(one)).await;
    stage
        .space()
        .inject(Rule::media(Action::header("etag", "\"the-same\"")));
    assert_eq!(stage.archive.download().await, 0);
    stage
        .space()
        .update_recording(id, |recording| recording.media = other.clone());
    stage.pass_time(SOME_MINUTES);
    assert_eq!(stage.archive.download().await, 1);
    assert_eq!(
        stage.setting.sql("SELECT sha256 FROM archive"),
        other.sha256()
    );
    assert_eq!(stage.setting.media_requests().len(), 2);
}

#[tokio::test]
async fn an_odd_file_whose_recording_vanishes_before_the_comparison_is_archived_all_the_same() {
    let cut = video().truncated(5000);
    let (stage, id) = stage(NewRecording::completed(cut.clone())).await;
    assert_eq!(stage.archive.download().await, 0);
    stage.space().delete_recording(id);
    stage.pass_time(SOME_MINUTES);
    assert_eq!(stage.archive.download().await, 1);
    assert_eq!(
        stage.setting.sql("SELECT sha256 FROM archive"),
        cut.sha256()
    );
    assert_eq!(stage.setting.count("failures"), "0");
    assert_eq!(stage.setting.media_requests().len(), 1);
}

#[tokio::test]
async fn an_error_page_makes_no_part_give_way_and_never_ends_in_the_archive() {
    let media = media(8 << 20);
    let (stage, id) = stage(NewRecording::completed(media.clone())).await;
    stage
        .space()
        .inject(Rule::media(Action::CloseAfter(4 << 20)).once());
    stage
        .space()
        .inject(Rule::media(Action::html(200)).from(2).times(2));
    for _ in 0..3 {
        assert_eq!(stage.archive.download().await, 0);
        stage.pass_time(3 * SOME_MINUTES);
    }
    let error = stage.setting.sql("SELECT last_error FROM queue");
    assert!(error.contains("an HTML page"), "{error}");
    assert_eq!(stage.archive.download().await, 1);
    assert_archived(&stage, id, &media, "");
    let resumed = "SELECT from_byte > 0 FROM attempts WHERE outcome = 'archived'";
    assert_eq!(stage.setting.sql(resumed), "1");
}
