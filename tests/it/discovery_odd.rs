//! Discovery against odd answers: broken pages, strange links and fields, refusals, and the filter.

use std::time::Duration;

use chrono::TimeDelta;
use fake_space::{
    Action, List, NewRecording, NewSession, NextLinks, Options, Patch, Reported, Rule,
};
use room_archiver::store::PassOutcome;
use serde_json::{Value, json};
use uuid::Uuid;

use super::discovery::Stage;
use super::harness::Setting;

const PAGES_OF_2: &str = "[signalwire]\npage_size = 2\n";
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Five sessions with a recording each, an hour apart.
async fn five(options: Options) -> Stage {
    let stage = Stage::new(options, PAGES_OF_2).await;
    for hours in 0..5 {
        let session = stage.ended(HOUR * hours);
        stage.recording(session, "completed");
    }
    stage
}

fn field(stage: &Stage, recording: Uuid, expression: &str) -> String {
    stage.setting.sql(&format!(
        "SELECT {expression} FROM recording WHERE id = '{recording}'"
    ))
}

#[tokio::test]
async fn next_links_may_be_relative_and_lack_the_life_of_the_links() {
    let options = Options {
        next_links: NextLinks::Relative,
        next_keeps_media_ttl: false,
        ..Options::default()
    };
    let stage = five(options).await;
    let report = stage.archive.sweep().await;
    assert_eq!(
        (report.outcome, report.error),
        (PassOutcome::Complete, None)
    );
    assert_eq!(stage.known().len(), 5);
    let journal = stage.space().journal();
    let lists = journal
        .iter()
        .filter(|seen| seen.path.ends_with("recordings"));
    let lives: Vec<_> = lists.map(|seen| seen.param("media_ttl")).collect();
    assert_eq!(lives, [Some("900"); 3]);
}

#[tokio::test]
async fn a_next_link_off_the_origin_is_refused_and_the_page_that_told_it_kept() {
    let trap = Setting::new(Options::default());
    let own = |stage: &Stage| stage.space().api_url();
    let stage = five(Options::default()).await;
    let port = own(&stage).rsplit(':').next().expect("a port").to_owned();
    let next = [
        format!("{}/api/video/room_sessions", trap.space.api_url()),
        format!("//{}/x", trap.space.api_url().trim_start_matches("http://")),
        format!("http://localhost:{port}/api/video/room_sessions"),
        format!("https://127.0.0.1:{port}/api/video/room_sessions"),
        format!("http://me:pw@127.0.0.1:{port}/api/video/room_sessions"),
        "file:///etc/passwd".to_owned(),
        "javascript:alert(1)".to_owned(),
    ];
    for next in next {
        stage.space().clear_faults();
        stage
            .space()
            .inject(Rule::sessions(Action::next(next.clone())).page(0));
        let report = stage.archive.sweep().await;
        assert_eq!(report.outcome, PassOutcome::Incomplete, "{next}");
        let error = report.error.expect("an error");
        assert_eq!(
            error,
            "/api/video/room_sessions: the link to the next page leads to another origin and was not followed"
        );
        assert_eq!(report.counts.sessions_seen, 2, "{next}");
        // The recordings are found all the same, each session by itself.
        assert_eq!(stage.known().len(), 5);
    }
    assert!(trap.space.journal().is_empty(), "the trap saw something");
}

#[tokio::test]
async fn repeated_endless_and_garbled_next_links_leave_the_pass_incomplete() {
    for (action, text) in [
        (Action::repeat_next(), "came a second time"),
        (Action::endless_pages(), "the pages do not end"),
        (Action::next(5), "no URL"),
        (Action::next("http://["), "no URL"),
    ] {
        let stage = five(Options::default()).await;
        stage.space().inject(Rule::sessions(action));
        let report = stage.archive.poll().await;
        assert_eq!(report.outcome, PassOutcome::Incomplete, "{text}");
        let error = report.error.expect("an error");
        assert!(error.contains(text), "{error}");
        assert!(report.counts.sessions_seen >= 2, "{text}");
        let requests = stage.space().counters().api_requests;
        assert_eq!(report.counts.requests, requests);
        assert!(requests < 120, "{requests}");
        let horizon = stage.archive.app.store.horizon().await.expect("a database");
        assert_eq!(horizon.created, None);
    }
}

#[tokio::test]
async fn null_links_and_an_empty_next_end_a_list() {
    for links in [
        json!(null),
        json!({}),
        json!({"next": null}),
        json!({"next": ""}),
    ] {
        let stage = Stage::new(Options::default(), "").await;
        stage.space().archivable("lesson");
        stage.space().inject(Rule::api(Action::edit(move |page| {
            page["links"] = links.clone();
        })));
        let report = stage.archive.poll().await;
        assert_eq!((report.error, stage.known().len()), (None, 1));
    }
}

#[tokio::test]
async fn a_page_that_is_no_page_is_tried_again_and_spoils_nothing_that_came_before() {
    for (name, action) in [
        ("HTML", Action::html(200)),
        ("cut", Action::CutBody(40)),
        ("empty", Action::CutBody(0)),
        ("no data", Action::data_missing()),
        ("null", Action::data(Value::Null)),
        ("an object", Action::data(json!({"id": 1}))),
        ("500", Action::error(500)),
        ("422", Action::error(422)),
        ("a reset", Action::Reset),
    ] {
        let stage = five(Options::default()).await;
        stage.space().inject(Rule::sessions(action).page(1));
        let report = stage.archive.poll().await;
        assert_eq!(report.outcome, PassOutcome::Incomplete, "{name}");
        assert_eq!((report.counts.sessions_seen, stage.known().len()), (2, 2));
        let error = report.error.expect("an error");
        assert!(
            !error.contains("page_token") && !error.contains('<'),
            "{error}"
        );
        stage.space().clear_faults();
        assert_eq!(stage.archive.poll().await.outcome, PassOutcome::Complete);
        assert_eq!(stage.known().len(), 5);
    }
}

#[tokio::test]
async fn one_bad_item_is_set_aside_counted_and_kept_as_an_event() {
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
            Some("10 items could not be read and were set aside")
        );
    }
    assert_eq!(stage.state(good), "pending");
    assert_eq!(stage.known().len(), 1);
    let events = "SELECT count(*) FROM events WHERE kind = 'set_aside'";
    assert_eq!(
        stage.setting.sql(events),
        "5",
        "the same is kept once a day"
    );
}

#[tokio::test]
async fn an_absurdly_deep_item_is_set_aside_like_any_other_bad_one() {
    let stage = five(Options::default()).await;
    stage
        .space()
        .inject(Rule::sessions(Action::DeepJson(100_000)).page(1));
    let report = stage.archive.poll().await;
    assert_eq!(
        report.error.as_deref(),
        Some("1 items could not be read and were set aside")
    );
    assert_eq!(stage.known().len(), 2);
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
        let state = if name == "status" {
            "waiting"
        } else {
            "pending"
        };
        assert_eq!(stage.state(recording), state, "{name}");
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
async fn refused_credentials_end_the_pass_with_one_request_and_heal_by_themselves() {
    let stage = five(Options::default()).await;
    for status in [401, 403] {
        stage.space().clear_journal();
        stage.space().refuse_credentials(Some(status));
        for report in [stage.archive.poll().await, stage.archive.sweep().await] {
            assert_eq!(report.outcome, PassOutcome::Refused);
            assert_eq!(report.counts.requests, 1);
        }
        assert_eq!(stage.space().counters().api_requests, 2);
    }
    stage.space().refuse_credentials(None);
    assert_eq!(stage.archive.poll().await.outcome, PassOutcome::Complete);
    let passes = "SELECT outcome FROM passes ORDER BY id";
    assert_eq!(
        stage.setting.sql(passes),
        "refused\nrefused\nrefused\nrefused\ncomplete"
    );
}

#[tokio::test]
async fn retry_after_is_honoured_and_outlives_the_process() {
    for (status, header, seconds) in [
        (429, "600", 600),
        (503, "120", 120),
        (429, "garbage", 30),
        (429, "99999999999999999999999", 3600),
    ] {
        let stage = five(Options::default()).await;
        let rule = Rule::sessions(Action::retry_after(status, header)).once();
        stage.space().inject(rule);
        let report = stage.archive.poll().await;
        assert_eq!(report.outcome, PassOutcome::Incomplete);
        assert_eq!(report.counts.requests, 1, "nothing more is asked");
        let Stage {
            setting,
            clock,
            archive,
        } = stage;
        archive.close().await;
        let archive = setting.open(&clock).await;
        let stage = Stage {
            setting,
            clock,
            archive,
        };
        stage.pass_time(Duration::from_secs(seconds - 10));
        let report = stage.archive.poll().await;
        assert_eq!(
            (report.counts.requests, stage.known().len()),
            (0, 0),
            "{header}"
        );
        stage.pass_time(Duration::from_secs(11));
        assert_eq!(stage.archive.poll().await.outcome, PassOutcome::Complete);
        assert_eq!(stage.known().len(), 5);
    }
}

#[tokio::test]
async fn sessions_whose_lists_always_fail_do_not_hold_up_the_others() {
    let stage = Stage::new(Options::default(), "[poll]\nconcurrency = 1\n").await;
    for _ in 0..8 {
        let bad = stage.ended(MINUTE);
        stage
            .space()
            .inject(Rule::session_recordings(Action::error(500)).of(bad));
    }
    stage.archive.poll().await;
    let (_, good) = stage.space().archivable("good");
    for _ in 0..2 {
        stage.pass_time(5 * MINUTE);
        stage.archive.poll().await;
    }
    assert_eq!(stage.state(good), "pending");
}

#[tokio::test]
async fn what_a_listing_brought_before_it_failed_is_kept_and_counted() {
    let stage = Stage::new(Options::default(), PAGES_OF_2).await;
    let session = stage.ended(MINUTE);
    for _ in 0..5 {
        stage.recording(session, "completed");
    }
    stage
        .space()
        .inject(Rule::session_recordings(Action::error(500)).page(1));
    let report = stage.archive.poll().await;
    assert_eq!(report.outcome, PassOutcome::Incomplete);
    let counts = report.counts;
    assert_eq!(
        (counts.recordings_seen, counts.recordings_new, report.due),
        (2, 2, 2)
    );
    assert_eq!(counts.requests, stage.space().counters().api_requests);
    let row = "SELECT kind, sessions_seen, sessions_listed, recordings_seen, recordings_new, requests, outcome FROM passes";
    assert_eq!(stage.setting.sql(row), "poll|1|0|2|2|5|incomplete");
    stage.space().clear_faults();
    stage.pass_time(20 * MINUTE);
    stage.archive.poll().await;
    assert_eq!(stage.known().len(), 5);
}

#[tokio::test]
async fn a_session_that_is_gone_is_settled_even_if_its_list_answers_404() {
    let stage = Stage::new(Options::default(), "").await;
    let session = stage.ended(MINUTE);
    stage.archive.poll().await;
    stage.space().delete_session(session);
    stage
        .space()
        .inject(Rule::session_recordings(Action::error(404)));
    stage.pass_time(5 * MINUTE);
    let report = stage.archive.poll().await;
    assert_eq!(
        (report.outcome, report.error),
        (PassOutcome::Complete, None)
    );
    assert_eq!(
        stage
            .setting
            .sql("SELECT settled_at IS NOT NULL FROM sessions"),
        "1"
    );
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
        let state = if reason.is_empty() {
            "pending"
        } else {
            "skipped"
        };
        assert_eq!(stage.state(*recording), state);
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
    assert_eq!(report.outcome, PassOutcome::Incomplete);
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

#[tokio::test]
async fn one_recording_that_can_not_be_confirmed_does_not_keep_the_sweep_from_the_others() {
    let stage = five(Options::default()).await;
    stage.archive.poll().await;
    let ids: Vec<Uuid> = stage
        .known()
        .iter()
        .map(|id| id.parse().expect("an id"))
        .collect();
    for id in &ids {
        stage.space().delete_recording(*id);
    }
    stage
        .space()
        .inject(Rule::single_recordings(Action::error(500)).of(ids[0]));
    let report = stage.archive.sweep().await;
    assert_eq!(report.outcome, PassOutcome::Incomplete);
    let states: Vec<_> = ids.iter().map(|id| stage.state(*id)).collect();
    assert_eq!(states, ["pending", "lost", "lost", "lost", "lost"]);
}
