//! What an API forgets for a moment, or answers in two ways: nothing is called lost by mistake, or for good.

use fake_space::{Action, Options, Patch, Rule};
use room_archiver::store::PassOutcome;
use serde_json::json;
use uuid::Uuid;

use super::harness::{DAY, HOUR, Stage};
use super::tolerance::fill;

/// A stage with a pending recording that the next sweep's walk does not see, among others that it does.
async fn passed_over() -> (Stage, Uuid) {
    let stage = Stage::new(Options::default(), "").await;
    fill(&stage, 5);
    let (_, recording) = stage.space().archivable("lesson");
    stage.archive.poll().await;
    let id = recording.to_string();
    let leave_out = Action::edit(move |page| {
        if let Some(rows) = page["data"].as_array_mut() {
            rows.retain(|row| row["id"] != id.as_str());
        }
    });
    stage.space().inject(Rule::recordings(leave_out));
    (stage, recording)
}

#[tokio::test]
async fn one_404_is_asked_again_before_a_recording_is_called_lost() {
    let (stage, recording) = passed_over().await;
    // Its session lists it.
    let never = Rule::single_recordings(Action::error(404)).of(recording);
    let rule = stage.space().inject(never);
    let report = stage.archive.sweep().await;
    assert_eq!(
        (report.outcome, report.error),
        (PassOutcome::Complete, None)
    );
    assert_eq!(
        (stage.state(recording).as_str(), stage.space().fired(rule)),
        ("pending", 1)
    );

    // Neither list has it, yet the second answer does.
    let (stage, recording) = passed_over().await;
    let once = Rule::single_recordings(Action::error(404))
        .of(recording)
        .once();
    stage.space().inject(once);
    stage
        .space()
        .inject(Rule::session_recordings(Action::data(json!([]))));
    stage.archive.sweep().await;
    assert_eq!(stage.state(recording), "pending");

    // A list that can't be had proves nothing.
    let (stage, recording) = passed_over().await;
    stage
        .space()
        .inject(Rule::single_recordings(Action::error(404)).of(recording));
    stage
        .space()
        .inject(Rule::session_recordings(Action::error(500)));
    stage.archive.sweep().await;
    assert_eq!(stage.state(recording), "pending");

    // Gone from everywhere.
    let (stage, recording) = passed_over().await;
    stage.space().delete_recording(recording);
    stage.archive.sweep().await;
    assert_eq!(stage.state(recording), "lost");
}

#[tokio::test]
async fn a_recording_whose_mint_was_answered_404_is_looked_for_with_its_session_or_without() {
    let stage = Stage::new(Options::default(), "").await;
    let (session, recording) = stage.space().archivable("lesson");
    let client = &stage.archive.poller.client;
    let found = async |session: Option<Uuid>| {
        let found = client.recording_still_listed(session.map(Into::into), recording.into());
        found
            .await
            .expect("an answer")
            .map(|listed| listed.link.is_some())
    };
    assert_eq!(found(Some(session)).await, Some(true));
    assert_eq!(found(None).await, Some(true));
    assert_eq!(
        found(Some(Uuid::from_u128(7))).await,
        Some(true),
        "by itself"
    );
    stage
        .space()
        .inject(Rule::single_recordings(Action::error(404)));
    assert_eq!(found(Some(session)).await, Some(true), "by its list");
    assert_eq!(found(None).await, None);
    stage.space().delete_recording(recording);
    assert_eq!(found(Some(session)).await, None);
    stage
        .space()
        .inject(Rule::session_recordings(Action::error(500)));
    let unknown = client.recording_still_listed(Some(session.into()), recording.into());
    assert!(unknown.await.is_err());
}

#[tokio::test]
async fn lost_recordings_of_settled_sessions_are_asked_for_again_by_the_sweep() {
    let stage = Stage::new(Options::default(), "").await;
    fill(&stage, 5);
    let session = stage.ended(3 * DAY);
    let lost = stage.recording(session, "completed");
    stage.archive.poll().await;
    let rules = [
        stage
            .space()
            .inject(Rule::single_recordings(Action::error(404)).of(lost)),
        stage
            .space()
            .inject(Rule::session_recordings(Action::error(404)).of(session)),
    ];
    // No list has it, now and later.
    let id = lost.to_string();
    stage
        .space()
        .inject(Rule::recordings(Action::edit(move |page| {
            if let Some(rows) = page["data"].as_array_mut() {
                rows.retain(|row| row["id"] != id.as_str());
            }
        })));
    stage.archive.sweep().await;
    assert_eq!(stage.state(lost), "lost");
    stage.pass_time(DAY);
    stage.archive.sweep().await;
    assert_eq!(stage.state(lost), "lost", "it is still not there");
    for rule in rules {
        stage.space().remove_fault(rule);
    }
    stage.pass_time(HOUR);
    stage.archive.sweep().await;
    assert_eq!(stage.state(lost), "lost", "it was asked for an hour ago");
    stage.pass_time(DAY);
    stage.archive.sweep().await;
    assert_eq!(stage.state(lost), "pending");
    assert_eq!(stage.archive.download().await, 6);
}

#[tokio::test]
async fn lost_recordings_that_can_never_be_asked_for_do_not_stand_before_the_others() {
    let stage = Stage::new(Options::default(), "").await;
    let lost: Vec<Uuid> = (0..12)
        .map(|_| stage.space().archivable("lesson").1)
        .collect();
    stage.archive.poll().await;
    stage.setting.write_sql(
        "UPDATE recording SET state = 'lost', upstream_gone_at = '2026-01-01T00:00:00.000Z'",
    );
    stage
        .space()
        .inject(Rule::recordings(Action::data(json!([]))));
    for id in &lost[..10] {
        stage
            .space()
            .inject(Rule::single_recordings(Action::error(500)).of(*id));
    }
    for _ in 0..3 {
        stage.archive.sweep().await;
        stage.pass_time(DAY);
    }
    // Five failures in a row end a sweep's asking; the next goes on after them.
    for id in &lost[10..] {
        assert_eq!(stage.state(*id), "pending");
    }
}

#[tokio::test]
async fn a_single_object_that_lags_behind_the_lists_moves_nothing_to_waiting() {
    let (stage, recording) = passed_over().await;
    let lagging = Action::edit(|object| object["status"] = json!("processing"));
    stage.space().inject(Rule::single_recordings(lagging));
    let report = stage.archive.sweep().await;
    assert_eq!(
        (report.outcome, report.error),
        (PassOutcome::Complete, None)
    );
    assert_eq!(stage.state(recording), "pending");
    // What a list says counts.
    stage.space().clear_faults();
    stage
        .space()
        .patch(recording, Patch::set("status", "processing"));
    stage.archive.sweep().await;
    assert_eq!(stage.state(recording), "waiting");
}
