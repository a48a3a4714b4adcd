//! What needs attention is counted, aged and worded the same in the facts, the views, `status`, `show` and the metrics.

use std::time::Duration;

use fake_space::{NewRecording, Options, Patch};
use room_archiver::app::health::{Problem, health};
use serde_json::json;
use uuid::Uuid;

use super::harness::{Setting, Stage};
use super::health::{json, metric, setting, status};
use super::text;

#[tokio::test]
async fn a_recording_without_room_of_its_own_is_a_problem_of_the_disk() {
    let stage = Stage::new(Options::default(), "").await;
    stage.space().archivable("lesson");
    stage.archive.poll().await;
    stage.setting.write_sql(
        "UPDATE recording SET waits_for = 'space', next_attempt_at = '2099-01-01T00:00:00.000Z'",
    );
    stage.pass_time(Duration::from_mins(5));
    let now = stage.clock.now();
    let facts = stage.archive.app.store.health_facts(now).await;
    let problems = health(&facts.expect("a database"), now);
    let lines: Vec<_> = problems.iter().map(Problem::line).collect();
    assert_eq!(
        lines,
        ["disk: 1 recording has been waiting for space for 5 min"]
    );
}

#[tokio::test]
async fn the_facts_and_the_view_failures_agree_on_what_needs_attention() {
    let stage = Stage::new(Options::default(), "").await;
    let mut recordings = Vec::new();
    for _ in 0..7 {
        recordings.push(stage.space().archivable("lesson").1);
    }
    stage.archive.poll().await;
    let old = "pending_since = '2026-01-02T00:00:00.000Z'";
    for (recording, becomes) in recordings.iter().zip([
        old.to_owned(),
        "last_error = 'new'".to_owned(),
        format!("state = 'damaged', damage = 'missing', {old}"),
        "state = 'damaged', damage = 'missing', upstream_gone_at = '2026-01-01T00:00:00.000Z',
            pending_since = '2026-01-01T00:00:00.000Z'"
            .to_owned(),
        "state = 'lost', pending_since = NULL, upstream_gone_at = '2026-03-01T00:00:00.000Z'"
            .to_owned(),
        "state = 'waiting', pending_since = NULL, upstream_status = 'paused',
            first_seen_at = '2026-02-01T00:00:00.000Z'"
            .to_owned(),
        "state = 'skipped', pending_since = NULL".to_owned(),
    ]) {
        let statement = format!("UPDATE recording SET {becomes} WHERE id = '{recording}'");
        stage.setting.write_sql(&statement);
    }
    let now = stage.clock.now();
    let facts = stage.archive.app.store.health_facts(now).await;
    let facts = facts.expect("a database");
    let failures = stage.setting.count("failures");
    assert_eq!(facts.failures().to_string(), failures);
    assert_eq!((facts.unarchived.stuck, facts.unfinished.stuck), (2, 1));
    assert_eq!((facts.lost, facts.unrepairable), (1, 1));
    let since = facts.stuck_since().map(room_archiver::model::time::to_text);
    assert_eq!(
        since.as_deref(),
        Some("2026-01-02T00:00:00.000Z"),
        "what can still be archived"
    );
    assert_eq!(facts.unfinished.status.as_deref(), Some("paused"));
}

/// A recording whose reported duration is not its file's.
fn odd(setting: &Setting) -> Uuid {
    let recording = setting.add(NewRecording::default());
    setting
        .space
        .patch(recording, Patch::set("duration", json!(9_999)));
    recording
}

#[test]
fn concerns_show_in_status_show_and_metrics() {
    let (setting, port) = setting();
    let recording = odd(&setting);
    setting.space.archivable("lesson");
    let mut daemon = setting.daemon();
    metric(
        &setting,
        port,
        "room_archiver_concerns{kind=\"duration\"} 1",
    );
    metric(
        &setting,
        port,
        "room_archiver_concerns{kind=\"truncated\"} 0",
    );
    daemon.stop();
    let concerns = json!({"duration": 1, "size": 0, "structure": 0, "truncated": 0, "type": 0});
    assert_eq!(json(&setting)["concerns"], concerns);
    let shown = status(&setting);
    assert!(shown.contains("\nduration           1\n"), "{shown}");
    let detail = setting.sql("SELECT detail FROM concerns");
    let shown = setting.run(&["show", &recording.to_string()]);
    let shown = text(&shown.stdout);
    assert!(
        shown.contains("\nConcerns\n") && shown.contains(&detail),
        "{shown}"
    );
    // Not that of a damaged file, which is to be replaced.
    setting.write_sql("UPDATE recording SET state = 'damaged', damage = 'missing'");
    assert_eq!(json(&setting)["concerns"]["duration"], 0);
}

#[tokio::test]
async fn what_a_recording_waits_for_is_shown_in_words() {
    let stage = Stage::new(Options::default(), "").await;
    let (_, recording) = stage.space().archivable("lesson");
    stage.archive.poll().await;
    for (waits_for, words) in [
        ("space", "as soon as the disk has room"),
        ("recovery", "as soon as its media host"),
        ("comparison", "compared"),
    ] {
        let statement = format!("UPDATE recording SET waits_for = '{waits_for}'");
        stage.setting.write_sql(&statement);
        let shown = stage.setting.run(&["show", &recording.to_string()]);
        let shown = text(&shown.stdout).to_owned();
        let line = shown.lines().find(|line| line.starts_with("waits_for"));
        assert!(line.is_some_and(|line| line.contains(words)), "{shown}");
    }
}
