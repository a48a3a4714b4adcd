//! One bad session or recording upstream never stops the rest.

use std::time::Duration;

use fake_space::{Action, Options, Rule};
use room_archiver::store::PassOutcome;
use serde_json::json;
use uuid::Uuid;

use super::harness::{DAY, MINUTE, Setting, Stage};

fn refusals(stage: &Stage) -> usize {
    let journal = stage.space().journal();
    journal.iter().filter(|seen| seen.status == 403).count()
}

#[tokio::test]
async fn twenty_sessions_beside_some_that_answer_403_are_archived_by_the_next_poll() {
    for bad in [1, 4, 12] {
        let stage = Stage::new(Options::default(), "").await;
        let refused: Vec<Uuid> = (0..bad)
            .map(|_| stage.space().archivable("refused").0)
            .collect();
        for session in &refused {
            stage
                .space()
                .inject(Rule::session_recordings(Action::error(403)).of(*session));
        }
        for _ in 0..20 {
            stage.space().archivable("lesson");
        }
        let report = stage.archive.poll().await;
        assert_eq!(
            report.outcome,
            PassOutcome::Incomplete,
            "not the credentials"
        );
        assert_eq!(stage.archive.download().await, 20, "{bad}");
        let error = report.error.expect("an error");
        assert!(
            error.contains("was refused with HTTP 403") || bad > 1,
            "{error}"
        );
        // They are put off, neither spoil the next poll nor are asked for more and more often, and are archived once
        // they are no longer refused.
        for (minutes, asked) in [(0, 0), (5, bad), (1, 0), (5, bad), (5, 0)] {
            stage.space().clear_journal();
            stage.pass_time(minutes * MINUTE);
            let report = stage.archive.poll().await;
            assert_eq!(report.outcome, PassOutcome::Complete);
            assert_eq!(report.error.is_some(), asked > 0, "{:?}", report.error);
            assert_eq!(refusals(&stage) as u64, asked, "{minutes}");
        }
        assert_eq!(stage.problems().await, "", "not for long enough yet");
        stage.pass_time(DAY);
        stage.archive.poll().await;
        let stuck = stage.problems().await;
        assert!(stuck.contains("could not be listed"), "{stuck}");
        stage.space().clear_faults();
        stage.pass_time(15 * MINUTE);
        stage.archive.poll().await;
        assert_eq!(stage.archive.download().await, bad);
    }
}

#[tokio::test]
async fn several_different_objects_refused_in_a_row_are_refused_credentials() {
    for count in [3, 40] {
        let stage = Stage::new(Options::default(), "").await;
        for _ in 0..count {
            stage.space().archivable("lesson");
        }
        stage
            .space()
            .inject(Rule::session_recordings(Action::error(403)));
        let report = stage.archive.poll().await;
        assert_eq!(report.outcome, PassOutcome::Refused);
        let refused = refusals(&stage);
        assert!(refused <= 30, "{refused}");
        stage.space().clear_faults();
        stage.pass_time(20 * MINUTE);
        assert_eq!(stage.archive.poll().await.outcome, PassOutcome::Complete);
        assert_eq!(stage.known().len(), count);
    }
}

#[tokio::test]
async fn the_same_object_refused_again_and_again_is_one() {
    let stage = Stage::new(Options::default(), "").await;
    let (session, _) = stage.space().archivable("lesson");
    stage
        .space()
        .inject(Rule::session_recordings(Action::error(403)).of(session));
    for time in 0..5 {
        let report = stage.archive.poll().await;
        let known = if time == 0 {
            PassOutcome::Incomplete
        } else {
            PassOutcome::Complete
        };
        assert_eq!(report.outcome, known);
        assert!(report.error.is_some());
        stage.pass_time(16 * MINUTE);
    }
}

#[tokio::test]
async fn credentials_revoked_between_a_listing_and_a_mint_are_found_out_by_one_request_more() {
    let stage = Stage::new(Options::default(), "").await;
    let (_, recording) = stage.space().archivable("lesson");
    stage.archive.poll().await;
    let client = &stage.archive.poller.client;
    let mint = || client.room_recording(recording.into(), 15 * MINUTE);
    stage.space().refuse_credentials(Some(401));
    stage.space().clear_journal();
    let error = mint().await.expect_err("a refusal").to_string();
    assert!(error.contains("refused the credentials"), "{error}");
    assert_eq!(stage.space().counters().api_requests, 2);
    stage.space().refuse_credentials(None);
    stage
        .space()
        .inject(Rule::single_recordings(Action::error(401)));
    let error = mint().await.expect_err("a refusal").to_string();
    assert_eq!(
        error,
        format!("/api/video/room_recordings/{recording} was refused with HTTP 401")
    );
}

#[tokio::test]
async fn five_bad_sessions_that_come_first_do_not_keep_the_others_from_the_pass() {
    let stage = Stage::new(Options::default(), "[poll]\nconcurrency = 1\n").await;
    let mut good = Vec::new();
    for _ in 0..20 {
        good.push(stage.space().archivable("good").1);
    }
    // The newest are listed first.
    for _ in 0..8 {
        let bad = stage.ended(Duration::ZERO);
        stage
            .space()
            .inject(Rule::session_recordings(Action::error(500)).of(bad));
    }
    let report = stage.archive.poll().await;
    assert_eq!(report.outcome, PassOutcome::Incomplete);
    for recording in good {
        assert_eq!(stage.state(recording), "pending");
    }
    // The walk was whole: the next one need not go as far back.
    let horizon = stage.archive.app.store.horizon().await.expect("a database");
    assert!(horizon.created.is_some());
}

#[tokio::test]
async fn an_api_that_fails_every_list_is_left_alone_after_a_few() {
    let stage = Stage::new(Options::default(), "[download]\nretry_initial = \"1ms\"\n").await;
    for _ in 0..100 {
        stage.ended(MINUTE);
    }
    let rule = stage
        .space()
        .inject(Rule::session_recordings(Action::error(500)));
    assert_eq!(stage.archive.poll().await.outcome, PassOutcome::Incomplete);
    let tried = stage.space().fired(rule);
    assert!(tried <= 3 * 30, "{tried}");
}

/// A session that no list of sessions shows, and whose own object can't be read.
async fn undescribable(action: Action, more: &str) -> (Stage, Uuid, Uuid) {
    let stage = Stage::new(Options::default(), more).await;
    for _ in 0..6 {
        let session = stage.ended(3 * DAY);
        stage.recording(session, "completed");
    }
    let (session, recording) = stage.space().archivable("SURROGATE");
    let id = session.to_string();
    stage
        .space()
        .inject(Rule::sessions(Action::edit(move |page| {
            if let Some(rows) = page["data"].as_array_mut() {
                rows.retain(|row| row["id"] != id.as_str());
            }
        })));
    // Last, so that it acts on what the space answers to this alone.
    stage
        .space()
        .inject(Rule::api(action).path(&format!("/api/video/room_sessions/{session}")));
    (stage, session, recording)
}

#[tokio::test]
async fn a_session_that_can_not_be_described_has_its_recordings_archived_under_an_unknown_room() {
    for (name, action) in [
        ("500", Action::error(500)),
        ("HTML", Action::html(200)),
        ("cut", Action::CutBody(30)),
        ("403", Action::error(403)),
        ("422", Action::error(422)),
        ("reset", Action::Reset),
        (
            "another",
            Action::json_text("{\"id\": \"0b5c3c7e-58a1-4c50-9ea5-000000000001\"}"),
        ),
    ] {
        // Neither filter can tell what it is.
        let more = "[filter]\ninclude_rooms = [\"lesson\"]\nexclude_rooms = [\"\", \"*SURR*\"]\n";
        let (stage, session, recording) = undescribable(action, more).await;
        let sweep = stage.archive.sweep().await;
        assert_eq!(sweep.outcome, PassOutcome::Complete, "{name}");
        let error = sweep.error.expect("what was put off");
        assert!(
            error.starts_with("1 request failed and is tried again later"),
            "{name}: {error}"
        );
        assert_eq!(
            stage.state(recording),
            "waiting",
            "{name}: one failure may pass"
        );
        // A new archive settles all the same.
        let settled = "SELECT count(*) FROM sessions WHERE settled_at IS NOT NULL";
        assert_eq!(stage.setting.sql(settled), "6", "{name}");
        stage.pass_time(5 * MINUTE);
        let poll = stage.archive.poll().await;
        assert_eq!(
            poll.outcome,
            PassOutcome::Complete,
            "{name}: {:?}",
            poll.error
        );
        assert_eq!(stage.state(recording), "pending", "{name}");
        // Once it is described, its room counts.
        for _ in 0..2 {
            stage.pass_time(5 * MINUTE);
            stage.archive.sweep().await;
            assert_eq!(stage.state(recording), "pending", "{name}");
        }
        stage.space().clear_faults();
        stage.pass_time(DAY);
        stage.archive.sweep().await;
        assert_eq!(stage.state(recording), "skipped", "{name}");
        let described = format!("SELECT room_name FROM sessions WHERE session_id = '{session}'");
        assert_eq!(stage.setting.sql(&described), "SURROGATE");
    }
}

#[tokio::test]
async fn recordings_without_a_session_or_of_one_that_is_gone_are_never_left_out_by_the_room() {
    let stage = Stage::new(
        Options::default(),
        "[filter]\ninclude_rooms = [\"lesson\"]\n",
    )
    .await;
    let orphan = stage
        .space()
        .add_recording(Uuid::from_u128(7), fake_space::NewRecording::default());
    let (session, nowhere) = stage.space().archivable("lesson");
    stage
        .space()
        .patch(nowhere, fake_space::Patch::null("room_session_id"));
    let (_, other) = stage.space().archivable("other");
    stage.space().delete_session(session);
    stage.archive.sweep().await;
    let states = [orphan, nowhere, other].map(|id| stage.state(id));
    assert_eq!(states, ["pending", "pending", "skipped"]);
    assert_eq!(stage.archive.download().await, 2);
}

#[test]
fn a_lone_surrogate_in_a_name_is_repaired_in_lists_and_single_objects() {
    for listed in [true, false] {
        let setting = Setting::with("");
        let (session, _) = setting.space.archivable("SURROGATE");
        setting.space.archivable("whole \u{1f600}");
        if !listed {
            let id = session.to_string();
            setting
                .space
                .inject(Rule::sessions(Action::edit(move |page| {
                    if let Some(rows) = page["data"].as_array_mut() {
                        rows.retain(|row| row["id"] != id.as_str());
                    }
                })));
        }
        setting
            .space
            .inject(Rule::api(Action::replace("SURROGATE", r"les\ud83dson")));
        let output = setting.run(&["once", "--sweep"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let rooms = setting.sql("SELECT room_name FROM archive ORDER BY room_name");
        assert_eq!(rooms, "les\u{fffd}son\nwhole \u{1f600}");
    }
}

#[tokio::test]
async fn one_session_that_can_not_be_described_does_not_keep_a_sweep_from_confirming_what_vanished()
{
    let (stage, _, recording) = undescribable(Action::error(500), "").await;
    stage.archive.sweep().await;
    let vanished = stage
        .setting
        .sql("SELECT id FROM recording WHERE state = 'pending' LIMIT 1");
    let vanished: Uuid = vanished.parse().expect("an id");
    assert_ne!(vanished, recording);
    stage.space().delete_recording(vanished);
    stage.pass_time(DAY);
    let report = stage.archive.sweep().await;
    assert_eq!(report.outcome, PassOutcome::Complete);
    assert_eq!(stage.state(vanished), "lost");
    let complete = stage
        .archive
        .app
        .store
        .last_complete(room_archiver::store::PassKind::Sweep);
    assert!(complete.await.expect("a database").is_some());
}

#[tokio::test]
async fn a_running_session_that_can_not_be_described_is_listed_all_the_same() {
    let stage = Stage::new(Options::default(), "").await;
    let session = stage
        .space()
        .add_session(fake_space::NewSession::running("lesson"));
    stage.archive.poll().await;
    stage.pass_time(5 * MINUTE);
    stage
        .space()
        .inject(Rule::sessions(Action::data(json!([]))));
    let single = format!("/api/video/room_sessions/{session}");
    stage
        .space()
        .inject(Rule::api(Action::error(500)).path(&single));
    let recording = stage.recording(session, "completed");
    let report = stage.archive.poll().await;
    assert_eq!(report.outcome, PassOutcome::Complete);
    assert_eq!(stage.state(recording), "pending");
    // One 404 of its own does not end it while its list has recordings.
    stage.space().clear_faults();
    stage
        .space()
        .inject(Rule::sessions(Action::data(json!([]))));
    stage
        .space()
        .inject(Rule::api(Action::error(404)).path(&single));
    let second = stage.recording(session, "completed");
    stage.pass_time(5 * MINUTE);
    stage.archive.poll().await;
    assert_eq!(stage.state(second), "pending");
    assert_eq!(
        stage
            .setting
            .sql("SELECT count(*) FROM session WHERE upstream_gone_at IS NOT NULL"),
        "0"
    );
}
