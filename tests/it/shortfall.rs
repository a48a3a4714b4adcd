//! Sweeps whose lists suddenly lack much of what is known.

use std::time::Duration;

use fake_space::{Action, Options, Rule};
use room_archiver::poll::Report;
use room_archiver::store::PassOutcome;
use serde_json::json;
use uuid::Uuid;

use super::harness::{DAY, Stage};

const GONE: &str = "SELECT count(*) FROM recording WHERE upstream_gone_at IS NOT NULL";
const SESSIONS_GONE: &str = "SELECT count(*) FROM session WHERE upstream_gone_at IS NOT NULL";

/// An archive of so many recordings that settled long ago, half of them downloaded, and their ids.
async fn archive(count: u32) -> (Stage, Vec<Uuid>) {
    let stage = Stage::new(Options::default(), "").await;
    let mut all = Vec::new();
    for number in 0..count {
        let session = stage.ended(3 * DAY + Duration::from_hours(1) * number);
        all.push(stage.recording(session, "completed"));
        if number == count / 2 {
            stage.archive.sweep().await;
            stage.archive.download().await;
        }
    }
    stage.archive.sweep().await;
    (stage, all)
}

fn incomplete(report: &Report) {
    assert_eq!(report.outcome, PassOutcome::Incomplete);
    let error = report.error.as_deref().unwrap_or_default();
    assert!(error.contains("nothing is marked as gone"), "{error}");
}

/// Only the first half of each list.
fn half() -> Action {
    Action::edit(|page| {
        if let Some(rows) = page["data"].as_array_mut() {
            rows.truncate(rows.len() / 2);
        }
    })
}

#[tokio::test]
async fn a_list_that_is_empty_or_cut_in_half_marks_nothing_as_gone() {
    for (name, action) in [("empty", Action::data(json!([]))), ("half", half())] {
        for lists in [
            vec![Rule::sessions as fn(Action) -> Rule, Rule::recordings],
            vec![Rule::recordings],
            vec![Rule::sessions],
        ] {
            let (stage, all) = archive(20).await;
            for list in &lists {
                stage.space().inject(list(action.clone()));
            }
            // Nor do the recordings answer by themselves.
            stage
                .space()
                .inject(Rule::single_recordings(Action::error(404)));
            for _ in 0..2 {
                stage.pass_time(DAY);
                incomplete(&stage.archive.sweep().await);
                assert_eq!(stage.setting.sql(GONE), "0", "{name}");
                assert_eq!(stage.setting.sql(SESSIONS_GONE), "0", "{name}");
            }
            stage.space().clear_faults();
            stage.pass_time(DAY);
            let report = stage.archive.sweep().await;
            assert_eq!(
                (report.outcome, report.error),
                (PassOutcome::Complete, None)
            );
            assert_eq!(stage.known().len(), all.len());
        }
    }
}

#[tokio::test]
async fn a_small_archive_notices_what_was_deleted_upstream() {
    let (stage, all) = archive(3).await;
    assert_eq!(stage.state(all[0]), "archived");
    stage.space().delete_recording(all[0]);
    assert_eq!(stage.archive.sweep().await.outcome, PassOutcome::Complete);
    let gone = "SELECT recording_id FROM archive WHERE upstream_gone_at IS NOT NULL";
    assert_eq!(stage.setting.sql(gone), all[0].to_string());
}

#[tokio::test]
async fn the_few_recordings_of_a_small_archive_are_asked_for_when_their_list_is_empty() {
    for list in [Rule::recordings, Rule::sessions] {
        let (stage, all) = archive(3).await;
        let rule = stage.space().inject(list(Action::data(json!([]))));
        stage.space().delete_recording(all[1]);
        assert_eq!(stage.archive.sweep().await.outcome, PassOutcome::Incomplete);
        assert_eq!(
            (stage.setting.sql(GONE), stage.setting.sql(SESSIONS_GONE)),
            ("0".to_owned(), "0".to_owned())
        );
        // All of them deleted is another matter.
        stage.space().remove_fault(rule);
        for recording in all {
            stage.space().delete_recording(recording);
        }
        assert_eq!(stage.archive.sweep().await.outcome, PassOutcome::Complete);
        assert_eq!(stage.setting.sql(GONE), "3");
    }
}

#[tokio::test]
async fn an_archived_recording_is_asked_for_before_it_is_marked_as_gone() {
    let (stage, all) = archive(20).await;
    let id = all[0].to_string();
    stage
        .space()
        .inject(Rule::recordings(Action::edit(move |page| {
            if let Some(rows) = page["data"].as_array_mut() {
                rows.retain(|row| row["id"] != id.as_str());
            }
        })));
    stage.space().clear_journal();
    assert_eq!(stage.archive.sweep().await.outcome, PassOutcome::Complete);
    assert_eq!(stage.setting.sql(GONE), "0");
    assert_eq!(
        stage.space().counters().api_requests,
        3,
        "it alone was asked for"
    );
}

#[tokio::test]
async fn whoever_deleted_most_of_it_is_believed_after_some_days() {
    let (stage, all) = archive(20).await;
    for recording in &all[..15] {
        stage.space().delete_recording(*recording);
    }
    for _ in 0..3 {
        stage.pass_time(DAY);
        incomplete(&stage.archive.sweep().await);
        assert_eq!(stage.setting.sql(GONE), "0");
    }
    stage.pass_time(DAY);
    let report = stage.archive.sweep().await;
    assert_eq!(
        (report.outcome, report.error),
        (PassOutcome::Complete, None)
    );
    assert_eq!(stage.setting.sql(GONE), "15");
    assert_eq!(
        stage
            .setting
            .sql("SELECT count(*) FROM meta WHERE name = 'sweep_shortfall'"),
        "1"
    );
    stage.pass_time(DAY);
    stage.archive.sweep().await;
    assert_eq!(
        stage
            .setting
            .sql("SELECT count(*) FROM meta WHERE name = 'sweep_shortfall'"),
        "0"
    );
}

#[tokio::test]
async fn lists_that_lack_what_the_vendor_still_has_are_not_believed_however_long_they_do() {
    let (stage, _) = archive(20).await;
    stage.space().inject(Rule::recordings(half()));
    for _ in 0..6 {
        stage.pass_time(DAY);
        stage.archive.sweep().await;
        assert_eq!(stage.setting.sql(GONE), "0");
    }
}

#[tokio::test]
async fn a_smaller_view_than_the_one_that_was_believed_begins_the_days_again() {
    let (stage, all) = archive(40).await;
    for recording in &all[..10] {
        stage.space().delete_recording(*recording);
    }
    for _ in 0..3 {
        stage.pass_time(DAY);
        incomplete(&stage.archive.sweep().await);
    }
    stage
        .space()
        .inject(Rule::recordings(Action::data(json!([]))));
    stage.pass_time(DAY);
    incomplete(&stage.archive.sweep().await);
    assert_eq!(stage.setting.sql(GONE), "0");
}
