//! The commands that read the database, through the real binary; none of them has a token.

use std::process::Stdio;

use chrono::TimeDelta;
use room_archiver::model::{Recording, State, UpstreamStatus};
use room_archiver::store::{Order, PassCounts, PassKind, PassOutcome};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::harness::filled::{
    ARCHIVED, DAMAGED, DOWNLOADING, FAILED, Filled, LOST, NO_LINK, OLD, OPEN, PENDING, SKIPPED,
    STUCK, UNLISTED, WAITING, at, recording, session,
};

#[test]
fn status_tells_the_truth_of_each_state() {
    let filled = Filled::with_every_state();
    let status = filled.json(&["status", "--json"]);
    assert_eq!(
        status["recordings"],
        json!({"waiting": 2, "skipped": 1, "pending": 3, "downloading": 1, "archived": 1,
            "lost": 1, "damaged": 1})
    );
    // Missing are the pending ones, the one being downloaded and the damaged one.
    assert_eq!(
        status["queue"],
        json!({"total": 8, "waiting": 2, "pending": 3, "downloading": 1, "lost": 1,
            "damaged": 1, "missing": 5})
    );
    assert_eq!(status["archived_bytes"], 4_096);
    assert_eq!(
        (&status["failures"], &status["stuck"]),
        (&json!(7), &json!(6))
    );

    let failures = status["oldest_failures"].as_array().expect("a list");
    let told: Vec<_> = failures
        .iter()
        .map(|one| {
            (
                one["recording_id"].clone(),
                one["reason"].as_str().expect("a text"),
            )
        })
        .collect();
    let id = |n| json!(recording(n).to_string());
    assert_eq!(
        told,
        [
            (
                id(FAILED),
                "completed upstream and not archived since 2026-01-01T12:00:00.000Z: the file was cut\x1b[31m"
            ),
            (id(LOST), "gone upstream before it was archived"),
            (
                id(NO_LINK),
                "completed upstream and not archived since 2026-01-01T12:00:00.000Z: completed upstream, but \
                 without a link"
            ),
            (
                id(DAMAGED),
                "the archived file is altered and could not be downloaded again since 2026-01-01T12:00:00.000Z"
            ),
            (
                id(DOWNLOADING),
                "completed upstream and not archived since 2026-01-01T12:00:00.000Z"
            ),
            (
                id(PENDING),
                "completed upstream and not archived since 2026-01-01T12:00:00.000Z"
            ),
            (
                id(STUCK),
                "still processing upstream since 2026-01-01T12:00:00.000Z"
            ),
        ]
    );
    assert!(
        failures.iter().all(|one| one["since"] == OLD),
        "{failures:?}"
    );

    let gaps = status["oldest_gaps"].as_array().expect("a list");
    assert_eq!(status["gaps"], 2);
    assert_eq!(gaps[0]["session_id"], json!(session(OPEN).to_string()));
    assert_eq!(
        (&gaps[0]["recordings_listed"], &gaps[0]["recordings_open"]),
        (&json!(9), &json!(8))
    );
    assert_eq!(gaps[1]["session_id"], json!(session(UNLISTED).to_string()));
    assert_eq!(gaps[1]["since"], "2026-01-01T11:00:00.000Z");

    let errors = status["newest_errors"].as_array().expect("a list");
    assert_eq!(errors.len(), 3);
    assert_eq!(errors[0]["error"], "completed upstream, but without a link");
}

#[test]
fn status_shows_the_last_pass_of_each_kind_and_escapes_what_others_wrote() {
    let filled = Filled::with_every_state();
    filled.with(async |store| {
        for (outcome, error, from) in [
            (PassOutcome::Complete, None, "2026-01-02T00:00:00Z"),
            (
                PassOutcome::Failed,
                Some("no answer\x1b[1m"),
                "2026-01-03T00:00:00Z",
            ),
        ] {
            let pass = store
                .begin_pass(PassKind::Poll, at(from))
                .await
                .expect("a pass");
            let end = at(from) + TimeDelta::seconds(65);
            let counts = PassCounts::default();
            store
                .end_pass(pass, end, counts, outcome, error)
                .await
                .expect("its end");
        }
    });
    let passes = filled.json(&["status", "--json"])["passes"].clone();
    assert_eq!(
        passes,
        json!([{"kind": "poll", "started_at": "2026-01-03T00:00:00.000Z",
            "ended_at": "2026-01-03T00:01:05.000Z", "outcome": "failed", "error": "no answer\u{1b}[1m",
            "last_complete_at": "2026-01-02T00:00:00.000Z"}])
    );
    let (text, _) = filled.output(0, &["status"]);
    assert!(!text.contains('\x1b'), "{text}");
    assert!(text.contains("no answer\\u001B[1m"), "{text}");
    assert!(text.contains("\nsweep   never"), "{text}");
    assert!(text.contains("team\\u001B[2J\\u000Aforged"), "{text}");
    assert!(text.contains(" 1 min 5 s "), "{text}");
}

#[test]
fn an_empty_archive_has_a_status_and_lists() {
    let filled = Filled::empty();
    filled.with(async |_| ());
    assert_eq!(filled.json(&["status", "--json"])["queue"]["total"], 0);
    assert!(filled.output(0, &["status"]).0.contains("poll    never"));
    assert_eq!(filled.json(&["list", "--format", "json"]), json!([]));
    let (csv, _) = filled.output(0, &["list", "--format", "csv"]);
    assert_eq!(
        csv,
        "recording_id,session_id,room_name,state,started_at,duration_seconds,size_bytes,path,last_error\n"
    );
    let (text, _) = filled.output(0, &["retry", "--stuck"]);
    assert_eq!(text, "no recording is stuck\n");
}

#[test]
fn a_database_that_is_missing_or_not_ours_is_a_failure_with_a_way_out() {
    let filled = Filled::empty();
    let id = recording(1).to_string();
    for args in [&["status"][..], &["list"], &["show", &id], &["retry", &id]] {
        let (out, error) = filled.output(1, args);
        assert_eq!(out, "");
        assert!(
            error.starts_with("error: there is no database at "),
            "{error}"
        );
        assert!(!filled.path().exists(), "{args:?} made one");
    }
    std::fs::write(filled.path(), "these are no pages of SQLite\n".repeat(50)).expect("a file");
    let (_, error) = filled.output(1, &["status"]);
    assert!(error.contains("is not a room-archiver database"), "{error}");
}

#[test]
fn list_filters_by_room_state_and_start() {
    let filled = Filled::with_every_state();
    let ids = |args: &[&str]| -> Vec<String> {
        let rows = filled.json(&[&["list", "--format", "json"], args].concat());
        let rows = rows.as_array().expect("a list").iter();
        rows.map(|row| row["recording_id"].as_str().expect("a text").to_owned())
            .collect()
    };
    let named = |numbers: &[u8]| {
        numbers
            .iter()
            .map(|n| recording(*n).to_string())
            .collect::<Vec<_>>()
    };
    let all = [
        ARCHIVED,
        FAILED,
        LOST,
        NO_LINK,
        DAMAGED,
        DOWNLOADING,
        PENDING,
        STUCK,
        WAITING,
        SKIPPED,
    ];
    assert_eq!(ids(&[]), named(&all));
    assert_eq!(ids(&["--room", "stand*"]), named(&[ARCHIVED]));
    assert_eq!(ids(&["--room", "STAND*"]), named(&[]));
    assert_eq!(ids(&["--room", "team*"]), named(&all[1..]));
    assert_eq!(
        ids(&["--state", "lost", "--state", "pending"]),
        named(&[FAILED, LOST, NO_LINK, PENDING])
    );
    // 0x99 minutes after ten o'clock: the very start is in.
    assert_eq!(
        ids(&["--since", "2026-01-01T12:33:00Z"]),
        named(&[WAITING, SKIPPED])
    );
    filled.output(2, &["list", "--room", "[a"]);
}

#[test]
fn the_table_lines_up_and_obeys_nobody() {
    let filled = Filled::with_every_state();
    let (table, _) = filled.output(0, &["list", "--state", "archived,lost"]);
    insta::assert_snapshot!(table, @r"
    RECORDING                             STARTED (UTC)              LENGTH        SIZE  STATE        ROOM
    11111111-1111-1111-1111-111111111111  2026-01-01 10:17:00     1 min 1 s     4.0 KiB  archived     standup
    33333333-3333-3333-3333-333333333333  2026-01-01 10:51:00     1 min 1 s     2.0 KiB  lost         team\u001B[2J\u000Aforged
    ");
    let (csv, _) = filled.output(0, &["list", "--state", "archived", "--format", "csv"]);
    insta::assert_snapshot!(csv, @"
    recording_id,session_id,room_name,state,started_at,duration_seconds,size_bytes,path,last_error
    11111111-1111-1111-1111-111111111111,01010101-0101-0101-0101-010101010101,standup,archived,2026-01-01T10:17:00.000Z,61.5,4096,standup/11111111-1111-1111-1111-111111111111.mp4,
    ");
}

#[test]
fn long_lists_have_every_row_once_in_order() {
    const ROWS: u128 = 4_500; // more than two pages
    let filled = Filled::empty();
    // Many at the same time, and many without one.
    let page: Vec<_> = (1..=ROWS)
        .map(|n| Recording {
            id: Uuid::from_u128(n * 0x9e37_79b9_7f4a_7c15).into(),
            session_id: None,
            status: UpstreamStatus::Completed,
            started_at: (n % 3 > 0).then(|| at(OLD) + TimeDelta::days(i64::from(n % 3 == 2))),
            finished_at: None,
            duration_seconds: None,
            size_bytes: None,
            format: None,
            cost_in_dollars: None,
            created_at: None,
            updated_at: None,
            upstream: "{}".to_owned(),
        })
        .collect();
    filled.with(async |store| {
        let change = room_archiver::model::Change {
            state: State::Pending,
            skip_reason: None,
            changed_after_archiving: false,
            other_session: false,
            another_chance: false,
        };
        let plan = |_: &_, _: Option<&_>, _: &_| Some(change.clone());
        store
            .apply_recordings(&page, at(OLD), None, &plan)
            .await
            .expect("a page");
    });
    let keys = |args: &[&str]| -> Vec<(String, String)> {
        let rows = filled.json(args);
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let rows = rows.as_array().expect("a list").iter();
        rows.map(|row| (text(&row["started_at"]), text(&row["recording_id"])))
            .collect()
    };
    let all = keys(&["list", "--format", "json"]);
    assert_eq!(all.len() as u128, ROWS);
    assert!(
        all.is_sorted_by(|one, next| one < next),
        "each once, in order"
    );
    let since = keys(&["list", "--format", "json", "--since", "2026-01-02"]);
    assert_eq!(since, all[3_000..]);
}

#[test]
fn a_reader_that_leaves_ends_a_list_quietly() {
    let filled = Filled::with_every_state();
    for format in ["table", "json", "csv"] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = std::process::Command::new(assert_cmd::cargo::cargo_bin!("room-archiver"))
            .args(["list", "--format", format])
            .env_clear()
            .env(
                "ROOM_ARCHIVER_CONFIG",
                filled.path().with_file_name("config.toml"),
            )
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .expect("the program");
        assert_eq!(output.status.code(), Some(0), "{format}");
        assert_eq!(crate::text(&output.stderr), "", "{format}");
    }
}

#[test]
fn show_tells_everything_of_one_recording() {
    let filled = Filled::with_every_state();
    let (text, _) = filled.output(0, &["show", &recording(DAMAGED).to_string()]);
    // Ages move on with the clock.
    let still: String = text
        .lines()
        .flat_map(|line| [line.split("  (").next().unwrap_or_default(), "\n"])
        .collect();
    insta::assert_snapshot!(still, @r#"
    Recording
    recording_id         55555555-5555-5555-5555-555555555555
    state                damaged
    damage               altered
    path                 standup/55555555-5555-5555-5555-555555555555.mp4
    file                 /var/lib/room-archiver/recordings/standup/55555555-5555-5555-5555-555555555555.mp4
    archived_bytes       4096
    sha256               aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    archived_at          2026-01-01T12:00:00.000Z
    verified_at          2026-01-01T12:00:00.000Z
    upstream_status      completed
    started_at           2026-01-01T11:25:00.000Z
    duration_seconds     61.5
    size_bytes           2048
    format               video/mp4
    first_seen_at        2026-01-01T12:00:00.000Z
    completed_seen_at    2026-01-01T12:00:00.000Z
    pending_since        2026-01-01T12:00:00.000Z
    attempts             1

    Session
    session_id           02020202-0202-0202-0202-020202020202
    room_name            team\u001B[2J\u000Aforged
    status               completed
    start_time           2026-01-01T10:00:00.000Z
    end_time             2026-01-01T11:00:00.000Z
    first_seen_at        2026-01-01T12:00:00.000Z
    next_list_at         2026-01-01T12:00:00.000Z

    Attempts
    #  STARTED                   TOOK  FROM  RECEIVED  HTTP  OUTCOME   ERROR
    1  2026-01-01T12:00:00.000Z  0 s    0 B       0 B        archived

    Events
    AT                        KIND    TEXT
    2026-01-01T12:00:00.000Z  damage  the archived file is altered

    As SignalWire describes it
    {
      "id": "x",
      "note": "a\u001b[2Jb\u202Ec"
    }
    "#);
    assert!(text.contains("2026-01-01T12:00:00.000Z  ("), "{text}");
    assert!(text.contains("4096  (4.0 KiB)"), "{text}");

    let (_, error) = filled.output(1, &["show", &recording(0xff).to_string()]);
    assert!(
        error.starts_with("error: no recording ffffffff-ffff-ffff-ffff-ffffffffffff is known"),
        "{error}"
    );
}

#[test]
fn retry_queues_what_was_given_up_and_says_why_not_the_rest() {
    let filled = Filled::with_every_state();
    let (queued, refused) = filled.output(0, &["retry", "--stuck"]);
    insta::assert_snapshot!(queued, @"
    22222222-2222-2222-2222-222222222222: was pending; queued
    33333333-3333-3333-3333-333333333333: was lost; queued
    44444444-4444-4444-4444-444444444444: was pending; queued
    55555555-5555-5555-5555-555555555555: was damaged; queued
    77777777-7777-7777-7777-777777777777: was pending; queued
    ");
    assert_eq!(refused, "");

    let ids = [
        ARCHIVED,
        FAILED,
        LOST,
        NO_LINK,
        DAMAGED,
        DOWNLOADING,
        STUCK,
        SKIPPED,
        0xff,
        LOST,
    ]
    .map(|n| recording(n).to_string());
    let args: Vec<_> = std::iter::once("retry")
        .chain(ids.iter().map(String::as_str))
        .collect();
    let (queued, refused) = filled.output(1, &args);
    insta::assert_snapshot!(queued, @"
    22222222-2222-2222-2222-222222222222: was pending; queued
    33333333-3333-3333-3333-333333333333: was pending; queued
    44444444-4444-4444-4444-444444444444: was pending; queued
    55555555-5555-5555-5555-555555555555: was damaged; queued
    ");
    insta::assert_snapshot!(refused, @"
    11111111-1111-1111-1111-111111111111: not queued: it is archived; 'room-archiver verify' checks its file
    66666666-6666-6666-6666-666666666666: not queued: it is being downloaded now
    88888888-8888-8888-8888-888888888888: not queued: it is not completed upstream yet
    aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa: not queued: the configured filter leaves it out
    ffffffff-ffff-ffff-ffff-ffffffffffff: not queued: no such recording is known
    ");

    // Queued is what the daemon claims, at once and all of it.
    let claimed = filled.with(async |store| {
        store
            .claim(9, Order::OldestFirst, at(OLD), &CancellationToken::new())
            .await
            .expect("claims")
    });
    let claimed: Vec<_> = claimed.iter().map(|claim| claim.id).collect();
    assert_eq!(
        claimed,
        [FAILED, LOST, NO_LINK, DAMAGED, PENDING].map(recording)
    );
}

#[test]
fn a_damaged_recording_that_was_gone_upstream_is_asked_for_again() {
    let filled = Filled::with_every_state();
    let id = recording(DAMAGED);
    filled.with(async |store| store.recording_gone(id, at(OLD)).await.expect("gone"));
    let (queued, _) = filled.output(0, &["retry", &id.to_string()]);
    assert_eq!(queued, format!("{id}: was damaged; queued\n"));
    let claims = filled.with(async |store| {
        store
            .claim(9, Order::OldestFirst, at(OLD), &CancellationToken::new())
            .await
            .expect("claims")
    });
    assert!(claims.iter().any(|claim| claim.id == id));
}
