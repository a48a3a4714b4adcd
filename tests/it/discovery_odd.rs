//! Discovery against odd items and fields, and the filter.

use std::time::Duration;

use chrono::TimeDelta;
use fake_space::{Action, List, NewRecording, NewSession, Options, Patch, Reported, Rule};
use globset::{Glob, GlobSetBuilder};
use room_archiver::poll::RoomFilter;
use room_archiver::store::PassOutcome;
use serde_json::{Value, json};
use uuid::Uuid;

use super::discovery_pages::five;
use super::harness::{HOUR, MINUTE, Stage};

fn field(stage: &Stage, recording: Uuid, expression: &str) -> String {
    stage.setting.sql(&format!(
        "SELECT {expression} FROM recording WHERE id = '{recording}'"
    ))
}

#[tokio::test]
async fn one_bad_item_is_rejected_counted_and_kept_as_an_event() {
    let stage = Stage::new(Options::default(), "").await;
    let (session, good) = stage.space().archivable("lesson");
    for list in [List::Sessions, List::SessionRecordings(session)] {
        for item in [
            json!({"id": "../../etc/passwd"}),
            json!({"id": 5}),
            json!({}),
            json!(null),
            json!([1]),
        ] {
            stage.space().add_raw(list, item);
        }
    }
    for _ in 0..2 {
        stage.pass_time(5 * MINUTE);
        let report = stage.archive.poll().await;
        assert_eq!(report.outcome, PassOutcome::Complete);
        assert_eq!(
            report.error.as_deref(),
            Some("10 items could not be read and were rejected")
        );
    }
    assert_eq!(stage.state(good), "pending");
    assert_eq!(stage.known().len(), 1);
    let events = "SELECT count(*) FROM events WHERE kind = 'rejected'";
    assert_eq!(
        stage.setting.sql(events),
        "5",
        "the same is kept once a day"
    );
}

#[tokio::test]
async fn a_session_with_an_item_that_can_not_be_read_is_a_gap_and_never_settles() {
    let stage = Stage::new(Options::default(), "").await;
    let (session, _) = stage.space().archivable("lesson");
    stage
        .space()
        .add_raw(List::SessionRecordings(session), json!({"id": 5}));
    for _ in 0..10 {
        stage.pass_time(12 * HOUR);
        stage.archive.poll().await;
    }
    assert_eq!(stage.archive.download().await, 1);
    let gap = "SELECT recordings_listed, recordings_open FROM gaps";
    assert_eq!(stage.setting.sql(gap), "1|0");
    stage.space().clear_extras();
    stage.pass_time(12 * HOUR);
    stage.archive.poll().await;
    assert_eq!(stage.setting.sql(gap), "");
}

#[tokio::test]
async fn a_pass_under_way_heeds_a_filter_put_in_force_meanwhile() {
    let stage = Stage::new(Options::default(), "").await;
    let (_, recording) = stage.space().archivable("lesson");
    let filter = stage.archive.poller.filter.clone();
    let put_in_force = Action::after(move |_| {
        let everything = GlobSetBuilder::new()
            .add(Glob::new("*").expect("a glob"))
            .build();
        let everything = everything.expect("a set");
        filter.set(RoomFilter::new(
            everything.clone(),
            everything,
            None,
            Duration::ZERO,
        ));
    });
    stage.space().inject(Rule::sessions(put_in_force));
    stage.archive.poll().await;
    assert_eq!(stage.state(recording), "skipped");
}

#[tokio::test]
async fn everything_but_the_id_may_be_absent_null_or_odd() {
    let stage = Stage::new(Options::default(), "").await;
    let fields = |object: Value| -> Vec<String> {
        let object = object.as_object().expect("an object").clone();
        object.into_iter().map(|(key, _)| key).collect()
    };
    let (_, sample) = stage.space().archivable("sample");
    let names = fields(stage.space().recording_json(sample).expect("an object"));
    let mut recordings = Vec::new();
    for odd in [
        None,
        Some(json!(null)),
        Some(json!({"deep": [1]})),
        Some(json!(-7)),
        Some(json!("garbage")),
    ] {
        for name in names.iter().filter(|name| *name != "id") {
            let session = stage.ended(HOUR);
            let recording = stage.recording(session, "completed");
            stage.space().patch(
                recording,
                odd.clone()
                    .map_or_else(|| Patch::remove(name), |value| Patch::set(name, value)),
            );
            recordings.push((recording, name.clone()));
        }
        for name in [
            "name",
            "status",
            "start_time",
            "end_time",
            "created_at",
            "duration",
        ] {
            let session = stage.ended(HOUR);
            stage.space().patch(
                session,
                odd.clone()
                    .map_or_else(|| Patch::remove(name), |value| Patch::set(name, value)),
            );
            recordings.push((stage.recording(session, "completed"), String::new()));
        }
    }
    let report = stage.archive.poll().await;
    assert_eq!(
        (report.outcome, report.error),
        (PassOutcome::Complete, None)
    );
    for (recording, name) in recordings {
        let expected = if name == "status" {
            "waiting"
        } else {
            "pending"
        };
        assert_eq!(stage.state(recording), expected, "{name}");
    }
    // Those that are over settle, whatever their times are.
    stage.pass_time(48 * HOUR);
    stage.archive.poll().await;
    let unsettled =
        "SELECT count(*) FROM sessions WHERE status = 'completed' AND settled_at IS NULL";
    assert_eq!(
        stage.setting.sql(unsettled),
        "5",
        "those with a recording of another status"
    );
}

#[tokio::test]
async fn a_session_that_is_over_settles_whatever_its_end_is_said_to_be() {
    for end in [
        "9999-12-31T23:59:59Z",
        "1970-01-01T00:00:00Z",
        "0000-00-00",
        "",
    ] {
        let stage = Stage::new(Options::default(), "").await;
        let session = stage.ended(MINUTE);
        stage.space().patch(session, Patch::set("end_time", end));
        stage.archive.poll().await;
        stage.pass_time(5 * MINUTE);
        stage.recording(session, "completed");
        for _ in 0..9 {
            stage.pass_time(3 * HOUR);
            stage.archive.poll().await;
        }
        assert_eq!(stage.known().len(), 1, "{end}: it settled too early");
        let settled = "SELECT settled_at IS NOT NULL FROM sessions";
        assert_eq!(stage.setting.sql(settled), "1", "{end}");
    }
}

#[tokio::test]
async fn a_date_in_the_future_does_not_stop_later_walks_early() {
    let stage = five(Options::default()).await;
    let odd = stage.ended(Duration::ZERO);
    for name in ["created_at", "start_time"] {
        stage
            .space()
            .patch(odd, Patch::set(name, "9999-01-01T00:00:00Z"));
    }
    stage.archive.poll().await;
    stage.pass_time(5 * MINUTE);
    for _ in 0..5 {
        stage.space().archivable("new");
    }
    stage.archive.poll().await;
    assert_eq!(stage.known().len(), 10);
}

#[tokio::test]
async fn sizes_that_int32_can_not_tell_are_unknown() {
    let stage = Stage::new(Options::default(), "").await;
    let session = stage.ended(MINUTE);
    for (size, kept) in [
        (Reported::Null, ""),
        (Reported::Value(0), ""),
        (Reported::Value(-5), ""),
        (Reported::Value(i64::from(i32::MIN)), ""),
        (Reported::Value(i64::from(i32::MAX)), ""),
        (Reported::Value(5_000_000_000), "5000000000"),
    ] {
        let recording = stage
            .space()
            .add_recording(session, NewRecording::default().size(size));
        stage.pass_time(MINUTE);
        stage.archive.poll().await;
        assert_eq!(field(&stage, recording, "size_bytes"), kept);
        assert_eq!(stage.state(recording), "pending");
    }
}

#[tokio::test]
async fn the_vendors_object_is_kept_whole_without_its_uri_and_no_link_is_in_the_database() {
    let options = Options {
        signature_marker: Some("LEAKMARKER".to_owned()),
        ..Options::default()
    };
    let stage = Stage::new(options, "").await;
    let (session, recording) = stage.space().archivable("lesson");
    let extra =
        json!({"unknown": [1, 2.5, null, {"ключ": "\u{7}"}], "big": 9_007_199_254_740_993_u64});
    stage.space().patch(recording, Patch::set("extra", extra));
    let link = stage.space().link(recording).expect("a link");
    stage
        .space()
        .patch(session, Patch::set("preview_url", link));
    stage.archive.poll().await;
    stage.archive.sweep().await;
    stage.archive.download().await;
    stage.archive.poll().await;
    let kept: Value =
        serde_json::from_str(&field(&stage, recording, "upstream")).expect("an object");
    let mut object = stage.space().recording_json(recording).expect("an object");
    let uri = object.as_object_mut().expect("an object").remove("uri");
    assert!(uri.expect("a link").to_string().contains("LEAKMARKER"));
    assert_eq!(kept, object);

    for file in ["archive.db", "archive.db-wal"] {
        let bytes = std::fs::read(stage.setting.directory.path().join(file)).expect(file);
        assert!(!bytes.is_empty());
        for secret in ["LEAKMARKER", "X-Amz-Signature", &stage.space().token()] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {file}");
        }
    }
}

#[tokio::test]
async fn the_same_recording_twice_is_one_row_and_stays_with_its_first_session() {
    let stage = Stage::new(Options::default(), "").await;
    let (first, recording) = stage.space().archivable("first");
    stage.space().inject(Rule::any(Action::duplicate_rows()));
    let report = stage.archive.poll().await;
    assert_eq!(
        (report.counts.recordings_seen, report.counts.recordings_new),
        (2, 1)
    );
    let second = stage.ended(MINUTE);
    stage.space().list_also_under(recording, second);
    for _ in 0..3 {
        stage.archive.poll().await;
    }
    assert_eq!(field(&stage, recording, "session_id"), first.to_string());
    let events = format!("SELECT count(*) FROM events WHERE recording_id = '{recording}'");
    assert_eq!(stage.setting.sql(&events), "1");
    assert_eq!(stage.known().len(), 1);
}

#[tokio::test]
async fn the_filter_leaves_out_with_a_reason_and_a_changed_one_places_anew() {
    let mut stage = Stage::new(
        Options::default(),
        "[filter]\ninclude_rooms = [\"class-*\"]\nexclude_rooms = [\"*-secret\"]\nsince = \"2026-01-01\"\nmin_duration = \"10s\"\n",
    )
    .await;
    let add = |room: &str, days: i64, seconds: u32| {
        let space = stage.space();
        let end = space.now() - TimeDelta::days(days);
        let session = NewSession::completed(room).at(end - TimeDelta::hours(1), Some(end));
        let session = space.add_session(session);
        let new = NewRecording {
            duration: Some(seconds),
            ..NewRecording::default()
        };
        space.add_recording(session, new)
    };
    let expected = [
        (add("class-1", 0, 10), ""),
        (
            add("other", 0, 10),
            "the room matches none of filter.include_rooms",
        ),
        (
            add("class-secret", 0, 10),
            "the room matches filter.exclude_rooms",
        ),
        (add("class-2", 2000, 10), "it started before filter.since"),
        (
            add("class-3", 0, 9),
            "it is shorter than filter.min_duration",
        ),
    ];
    stage.archive.poll().await;
    for (recording, reason) in &expected {
        assert_eq!(field(&stage, *recording, "skip_reason"), *reason);
        let placed = if reason.is_empty() {
            "pending"
        } else {
            "skipped"
        };
        assert_eq!(stage.state(*recording), placed);
    }
    stage.archive.close().await;
    stage.setting.more = "[filter]\ninclude_rooms = [\"other\", \"class-[23]\"]\n".to_owned();
    let archive = stage.setting.open(&stage.clock).await;
    let states: Vec<_> = expected
        .iter()
        .map(|(recording, _)| {
            let id = format!("SELECT state FROM recording WHERE id = '{recording}'");
            stage.setting.sql(&id)
        })
        .collect();
    assert_eq!(
        states,
        ["skipped", "pending", "skipped", "pending", "pending"]
    );
    archive.close().await;
}

#[tokio::test]
async fn a_recording_waits_until_its_session_is_described_but_not_for_ever() {
    let stage = Stage::new(
        Options::default(),
        "[filter]\nexclude_rooms = [\"secret\"]\n",
    )
    .await;
    let hidden = stage.space().archivable("secret");
    let orphan = stage
        .space()
        .add_recording(Uuid::from_u128(7), NewRecording::default());
    stage
        .space()
        .inject(Rule::sessions(Action::data(json!([]))));
    let down = stage
        .space()
        .inject(Rule::api(Action::error(500)).path("/api/video/room_sessions/*"));
    let report = stage.archive.sweep().await;
    let error = report.error.expect("what was put off");
    assert!(error.contains("2 requests failed"), "{error}");
    assert_eq!(stage.state(hidden.1), "waiting");
    assert_eq!(stage.state(orphan), "waiting");
    stage.space().remove_fault(down);
    stage.pass_time(5 * MINUTE);
    stage.archive.sweep().await;
    assert_eq!(stage.state(hidden.1), "skipped");
    assert_eq!(
        stage.state(orphan),
        "pending",
        "its session is gone for good"
    );

    // A session that can't be described in an hour costs its recordings their name, nothing more.
    let late = stage.space().archivable("lesson").1;
    stage
        .space()
        .inject(Rule::api(Action::error(500)).path("/api/video/room_sessions/*"));
    stage.archive.sweep().await;
    assert_eq!(stage.state(late), "waiting");
    stage.pass_time(61 * MINUTE);
    stage.archive.poll().await;
    assert_eq!(stage.state(late), "pending");
}
