//! Sessions that run for weeks: rooms that are always open, and those that the vendor never ended.

use chrono::TimeDelta;
use fake_space::{NewSession, Options};

use super::harness::{MINUTE, Stage};

/// How often a session that began so long ago, and never ends, is listed in two days of polls.
async fn listings_of_a_session_that_runs_for(days: i64, status: &str) -> usize {
    let stage = Stage::new(Options::default(), "").await;
    let start = stage.space().now() - TimeDelta::days(days);
    let session = NewSession::running("always open").at(start, None);
    let session = stage.space().add_session(session);
    stage.recording(session, status);
    stage.archive.sweep().await;
    stage.space().clear_journal();
    for _ in 0..48 * 6 {
        // Its duration grows meanwhile, which is no news.
        stage.pass_time(10 * MINUTE);
        stage.archive.poll().await;
    }
    let journal = stage.space().journal();
    let list = format!("/api/video/room_sessions/{session}/recordings");
    journal.iter().filter(|seen| seen.path == list).count()
}

#[tokio::test]
async fn a_session_that_runs_for_weeks_is_listed_less_and_less_often() {
    for (days, status, least, most) in [
        (3, "completed", 47, 49),
        (21, "completed", 2, 3),
        // Something is being recorded.
        (21, "recording", 47, 49),
    ] {
        let count = listings_of_a_session_that_runs_for(days, status).await;
        assert!((least..=most).contains(&count), "{days} {status}: {count}");
    }
}

#[tokio::test]
async fn a_session_that_ran_for_weeks_is_listed_at_once_when_it_changes() {
    let stage = Stage::new(Options::default(), "").await;
    let start = stage.space().now() - TimeDelta::days(21);
    let session = NewSession::running("always open").at(start, None);
    let session = stage.space().add_session(session);
    for _ in 0..3 {
        stage.archive.poll().await;
        stage.pass_time(10 * MINUTE);
    }
    let recording = stage.recording(session, "completed");
    stage.archive.poll().await;
    assert_eq!(stage.state(recording), "", "it is listed each day");
    stage.space().end_session(session);
    stage.pass_time(10 * MINUTE);
    stage.archive.poll().await;
    assert_eq!(stage.state(recording), "pending");

    // Without a change the sweep finds it.
    let session = NewSession::running("other").at(start, None);
    let session = stage.space().add_session(session);
    stage.archive.poll().await;
    let recording = stage.recording(session, "completed");
    stage.pass_time(10 * MINUTE);
    stage.archive.sweep().await;
    assert_eq!(stage.state(recording), "pending");
}
