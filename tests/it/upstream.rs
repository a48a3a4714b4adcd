//! What the vendor can say of a recording that makes it wait, change, or be lost: always kept, always told.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use chrono::TimeDelta;
use fake_space::{Action, Media, NewRecording, Options, Patch, Reported, Rule};
use room_archiver::clock::Clock;
use room_archiver::model::time::to_text;
use room_archiver::store::PassOutcome;
use room_archiver::store::PauseKind;
use serde_json::{Value, json};
use uuid::Uuid;

use super::harness::{Child, EVERY_SECOND, HOUR, MINUTE, Setting, Stage, media};
use super::text;

/// A stage two days ago: what was first seen there has waited for two days by now.
async fn two_days_ago(more: &str) -> Stage {
    let setting = Setting::with(more);
    setting.space.set_clock_offset(TimeDelta::days(-2));
    Stage::open(setting).await
}

fn reason(stage: &Stage, recording: Uuid) -> String {
    stage.setting.sql(&format!(
        "SELECT reason FROM failures WHERE recording_id = '{recording}'"
    ))
}

fn next_attempt(stage: &Stage, recording: Uuid) -> String {
    stage.setting.sql(&format!(
        "SELECT next_attempt_at FROM queue WHERE recording_id = '{recording}'"
    ))
}

#[tokio::test]
async fn a_status_nobody_knows_is_kept_looked_at_again_shown_with_its_age_and_never_downloaded() {
    for status in [
        json!("archived_by_gnomes"),
        json!(null),
        json!("COMPLETED"),
        json!(7),
    ] {
        let stage = two_days_ago("").await;
        let session = stage.ended(MINUTE);
        let recording = stage.recording(session, "completed");
        stage
            .space()
            .patch(recording, Patch::set("status", status.clone()));
        for _ in 0..3 {
            stage.archive.poll().await;
            assert_eq!(stage.archive.download().await, 0, "{status}");
            stage.pass_time(7 * HOUR);
        }
        assert_eq!(stage.space().counters().media_requests, 0);
        assert_eq!(stage.state(recording), "waiting");
        let word = stage.setting.sql("SELECT upstream_status FROM queue");
        assert_eq!(word, status.as_str().unwrap_or_default());
        let reason = reason(&stage, recording);
        assert!(reason.contains("upstream since"), "{reason}");
        let shown = stage.setting.run(&["status"]);
        let shown = text(&shown.stdout);
        assert!(shown.contains(&recording.to_string()), "{shown}");
        stage.space().unpatch(recording);
        stage.archive.poll().await;
        assert_eq!(stage.archive.download().await, 1, "{status}");
    }
}

#[tokio::test]
async fn a_recording_processed_for_days_shows_as_stuck_after_the_configured_age() {
    for (stuck_after, stuck) in [("24h", true), ("72h", false)] {
        let stage = two_days_ago(&format!("[poll]\nstuck_after = \"{stuck_after}\"\n")).await;
        let session = stage.ended(MINUTE);
        let recording = stage.recording(session, "processing");
        stage.archive.poll().await;
        assert_eq!(!reason(&stage, recording).is_empty(), stuck);
        let now = Clock::system().now();
        let facts = stage.archive.app.store.health_facts(now).await;
        let facts = facts.expect("a database");
        assert_eq!(facts.stuck(), u64::from(stuck));
        assert_eq!(facts.failures(), u64::from(stuck));
        assert_eq!(stage.state(recording), "waiting");
    }
}

#[tokio::test]
async fn what_is_completed_in_the_list_alone_is_asked_for_again_with_back_off_until_it_is() {
    let more = "[download]\nretry_initial = \"10m\"\nretry_max = \"1h\"\n";
    let stage = Stage::new(Options::default(), more).await;
    let (_, recording) = stage.space().archivable("lesson");
    stage.archive.poll().await;
    // The listing's link is refused, which has a fresh one asked for.
    stage.space().inject(Rule::media(Action::error(403)).once());
    let lags = Action::edit(|object| object["status"] = json!("processing"));
    let lags = stage.space().inject(Rule::single_recordings(lags));
    for attempt in 1..=3 {
        assert_eq!(stage.archive.download().await, 0);
        assert_eq!(stage.archive.download().await, 0, "not at once");
        assert_eq!(stage.space().fired(lags), attempt);
        assert_eq!(
            stage
                .setting
                .sql("SELECT state, attempts, last_error FROM queue"),
            format!(
                "pending|{attempt}|SignalWire lists it as completed, but reports it as processing"
            )
        );
        assert!(next_attempt(&stage, recording) > to_text(stage.clock.now() + 7 * MINUTE));
        stage.pass_time(2 * HOUR);
    }
    assert_eq!(stage.setting.media_requests().len(), 1);
    stage.space().remove_fault(lags);
    assert_eq!(stage.archive.download().await, 1);
}

#[tokio::test]
async fn completed_without_a_link_is_retried_with_back_off_shown_as_stuck_and_archived_at_last() {
    let stage = two_days_ago("[download]\nretry_initial = \"10m\"\nretry_max = \"4h\"\n").await;
    let (_, recording) = stage.space().archivable("lesson");
    stage.space().override_uri(recording, Value::Null);
    stage.archive.poll().await;
    let mut waits = Vec::new();
    for _ in 0..8 {
        assert_eq!(stage.archive.download().await, 0);
        let wait = stage.setting.sql(&format!(
            "SELECT CAST(round((julianday('{}') - julianday('{}')) * 1440) AS INTEGER)",
            next_attempt(&stage, recording),
            room_archiver::model::time::to_text(stage.clock.now()),
        ));
        let wait = wait.parse::<u64>().expect("minutes");
        waits.push(wait);
        stage.pass_time(Duration::from_secs(wait * 60 + 60));
    }
    assert!(waits[0] >= 7 && waits[0] <= 13, "{waits:?}");
    assert!(waits[1] > waits[0] && waits[3] > waits[1], "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 300), "{waits:?}");
    assert_eq!(stage.state(recording), "pending");
    let reason = reason(&stage, recording);
    assert!(
        reason.starts_with("completed upstream and not archived since")
            && reason.ends_with("but without a link"),
        "{reason}"
    );
    assert_eq!(stage.setting.count("archive"), "0");
    stage.space().unpatch(recording);
    assert_eq!(stage.archive.download().await, 1);
    assert_eq!(reason_count(&stage), "0");
}

fn reason_count(stage: &Stage) -> String {
    stage.setting.count("failures")
}

#[test]
fn garbage_dates_and_durations_are_warned_of_and_archived_all_the_same() {
    let setting = Setting::with("");
    for garbage in [
        json!("yesterday"),
        json!("2026-13-45T99:99:99Z"),
        json!(-1),
        json!([]),
        json!("\u{1b}[31m"),
    ] {
        let (session, recording) = setting.space.archivable("lesson");
        let space = &setting.space;
        for field in [
            "started_at",
            "finished_at",
            "created_at",
            "updated_at",
            "duration",
        ] {
            space.patch(recording, Patch::set(field, garbage.clone()));
        }
        for field in ["start_time", "created_at", "updated_at"] {
            space.patch(session, Patch::set(field, garbage.clone()));
        }
    }
    let output = setting.once(0);
    assert_eq!(setting.count("archive"), "5");
    let unknown = "SELECT count(*) FROM archive WHERE started_at IS NULL AND finished_at IS NULL
        AND duration_seconds IS NULL";
    assert_eq!(setting.sql(unknown), "5");
    let told = text(&output.stderr);
    for field in ["started_at", "duration", "start_time"] {
        assert!(
            told.contains(&format!("{field} can't be read and counts as unknown")),
            "{told}"
        );
    }
    assert!(!told.contains("yesterday"), "{told}");
}

#[tokio::test]
async fn a_zero_byte_file_is_never_archived_whatever_is_told_of_it() {
    for (size, media) in [
        (Reported::Null, Media::empty()),
        (Reported::Value(0), Media::empty()),
        (Reported::Null, Media::empty().typed("audio/mpeg")),
    ] {
        for framing in [
            Action::UntilClose,
            Action::Chunked,
            Action::DeclareLength(0),
        ] {
            let more = "[download]\nretry_initial = \"10m\"\n";
            let stage = Stage::new(Options::default(), more).await;
            let session = stage.ended(MINUTE);
            let new = NewRecording::completed(media.clone()).size(size);
            let recording = stage.space().add_recording(session, new);
            stage.space().inject(Rule::media(framing));
            stage.archive.poll().await;
            assert_eq!(stage.archive.download().await, 0);
            assert_eq!(stage.state(recording), "pending");
            assert_eq!(stage.setting.files().len(), 0);
        }
    }
}

#[tokio::test]
async fn what_changes_upstream_after_archiving_is_noted_and_shown_and_the_file_stays() {
    let stage = Stage::new(Options::default(), "").await;
    let (_, recording) = stage.space().archivable("lesson");
    let (_, damaged) = stage.space().archivable("other");
    stage.archive.poll().await;
    assert_eq!(stage.archive.download().await, 2);
    stage.setting.write_sql(&format!(
        "UPDATE recording SET state = 'damaged', damage = 'altered' WHERE id = '{damaged}'"
    ));
    let before = stage
        .setting
        .sql("SELECT path, sha256, size_bytes FROM archive");
    let shown = |name: &str| {
        let output = stage.setting.run(&["show", &recording.to_string()]);
        let shown = text(&output.stdout).to_owned();
        shown.lines().any(|line| line.starts_with(name))
    };
    assert!(!shown("upstream_changed_at"));
    for id in [recording, damaged] {
        stage.space().update_recording(id, |recording| {
            recording.media = media(1 << 16);
            recording.updated_at += TimeDelta::hours(1);
        });
    }
    stage.pass_time(HOUR);
    let sweep = stage.archive.sweep().await;
    assert_eq!(sweep.outcome, PassOutcome::Complete);
    assert_eq!(stage.state(recording), "archived");
    assert_eq!(stage.state(damaged), "damaged");
    assert_eq!(
        stage
            .setting
            .sql("SELECT path, sha256, size_bytes FROM archive"),
        before
    );
    assert_eq!(stage.setting.files().len(), 2);
    assert!(shown("upstream_changed_at"));
}

#[tokio::test]
async fn gone_before_it_was_archived_is_lost_and_loud_and_fetched_should_it_come_back() {
    let stage = Stage::new(Options::default(), "").await;
    let (_, recording) = stage.space().archivable("lesson");
    stage.archive.poll().await;
    stage.space().kill_links();
    let rules = [
        Rule::single_recordings(Action::error(404)),
        Rule::session_recordings(Action::data(serde_json::json!([]))),
    ];
    let gone = rules.map(|rule| stage.space().inject(rule));
    assert_eq!(stage.archive.download().await, 0);
    assert_eq!(stage.state(recording), "lost");
    assert_eq!(
        reason(&stage, recording),
        "gone upstream before it was archived"
    );
    let attempts = "SELECT outcome, error FROM attempts";
    assert_eq!(
        stage.setting.sql(attempts),
        "lost|SignalWire no longer has it"
    );
    let status = stage.setting.run(&["status"]);
    assert!(text(&status.stdout).contains(&recording.to_string()));
    // A 404 that was a mistake of the vendor's is repaired by the sweep, which sees it listed.
    for rule in gone {
        stage.space().remove_fault(rule);
    }
    stage.archive.sweep().await;
    assert_eq!(stage.archive.download().await, 1);
    assert_eq!(reason_count(&stage), "0");
}

#[test]
fn a_lost_recording_is_an_error_in_the_log() {
    let setting = Setting::with("");
    let (_, recording) = setting.space.archivable("lesson");
    setting.space.inject(Rule::media(Action::error(403)));
    setting
        .space
        .inject(Rule::single_recordings(Action::error(404)));
    // The poll lists it; after that no list has it.
    let empty = Action::data(serde_json::json!([]));
    setting
        .space
        .inject(Rule::session_recordings(empty).from(2));
    let output = setting.run(&["once"]);
    let told = text(&output.stderr);
    let line = told.lines().find(|line| line.contains("gone upstream"));
    let line = line.unwrap_or_else(|| panic!("{told}"));
    assert!(line.contains("ERROR") || line.starts_with("<3>"), "{line}");
    assert!(line.contains(&recording.to_string()), "{line}");
}

#[tokio::test]
async fn credentials_refused_while_minting_pause_downloads_and_burn_no_attempt() {
    for status in [401, 403] {
        let stage = Stage::new(Options::default(), "").await;
        let recordings: Vec<Uuid> = (0..3)
            .map(|_| stage.space().archivable("lesson").1)
            .collect();
        stage.archive.poll().await;
        stage.space().kill_links();
        stage.space().refuse_credentials(Some(status));
        for _ in 0..3 {
            assert_eq!(stage.archive.download().await, 0);
            let pause = stage.archive.downloader.paused().expect("a pause");
            assert_eq!(pause.reason, PauseKind::Api);
            assert!(
                pause.error.contains("refused the credentials"),
                "{}",
                pause.error
            );
            stage.pass_time(MINUTE);
        }
        assert!(stage.space().counters().api_requests < 20, "slow retries");
        for recording in &recordings {
            assert_eq!(stage.state(*recording), "pending");
        }
        assert_eq!(stage.setting.sql("SELECT max(attempts) FROM queue"), "0");
        stage.space().refuse_credentials(None);
        assert_eq!(stage.archive.download().await, 3, "it recovers by itself");
        assert_eq!(stage.archive.poll().await.outcome, PassOutcome::Complete);
    }
}

#[test]
fn refused_credentials_show_in_the_exit_code_and_the_status() {
    let setting = Setting::with("");
    setting.space.archivable("lesson");
    setting.space.refuse_credentials(Some(403));
    setting.once(3);
    let status = setting.run(&["status"]);
    let status = text(&status.stdout);
    assert!(status.contains("refused"), "{status}");
    setting.space.refuse_credentials(None);
    setting.once(0);
}

#[test]
fn the_services_status_line_tells_of_refused_credentials() {
    let setting = Setting::with(EVERY_SECOND);
    setting.space.refuse_credentials(Some(401));
    let path = setting.directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    let patience = socket.set_read_timeout(Some(MINUTE));
    patience.expect("a socket");
    let env = [("NOTIFY_SOCKET", path.as_os_str())];
    let mut daemon = Child::start(&setting, &env);
    let heard = |wanted: &str| {
        let mut buffer = [0; 4096];
        loop {
            let length = socket.recv(&mut buffer).expect("a datagram");
            let told = text(&buffer[..length]).to_owned();
            if told.contains(wanted) {
                return told;
            }
        }
    };
    let told = heard("STATUS=degraded");
    assert!(told.contains("refused the credentials"), "{told}");
    setting.space.archivable("lesson");
    setting.space.refuse_credentials(None);
    heard("STATUS=1 archived");
    daemon.stop();
}
