//! `status` is true of every state a recording can be in, and of an archive that is empty or not there.

use chrono::TimeDelta;
use fake_space::{Action, Rule};
use room_archiver::store::{PassCounts, PassKind, PassOutcome};
use serde_json::json;

use super::harness::Setting;
use super::harness::filled::{
    DAMAGED, DOWNLOADING, FAILED, Filled, LOST, NO_LINK, OLD, OPEN, PENDING, STUCK, UNLISTED, at,
    recording, session,
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
    // Not that of the lost one: nothing can be done about it.
    assert_eq!(errors.len(), 2);
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
fn errors_of_what_is_archived_by_now_no_longer_matter() {
    let setting = Setting::with("[download]\nretry_initial = \"1ms\"\nretry_max = \"1ms\"\n");
    setting.space.archivable("lesson");
    let fault = setting.space.inject(Rule::media(Action::error(503)));
    setting.once(4);
    let errors = || {
        let output = setting.run(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        status["newest_errors"].as_array().expect("a list").len()
    };
    assert_eq!(errors(), 1, "one for each recording");
    setting.space.remove_fault(fault);
    setting.due();
    setting.once(0);
    assert_eq!(errors(), 0);
}

#[test]
fn check_exits_with_1_unless_the_archive_is_healthy() {
    let filled = Filled::empty();
    filled.with(async |_| ());
    assert_eq!(filled.output(0, &["status", "--check"]).0, "healthy\n");
    let (out, error) = filled.output(0, &["status", "--check", "--quiet"]);
    assert_eq!((out.as_str(), error.as_str()), ("", ""));
    let filled = Filled::with_every_state();
    filled.output(0, &["status"]);
    let (out, _) = filled.output(1, &["status", "--check"]);
    assert!(out.starts_with("not healthy\n  stuck: "), "{out}");
    let (out, error) = filled.output(1, &["status", "--check", "--quiet"]);
    assert_eq!(out, "");
    assert!(error.starts_with("not healthy\n"), "{error}");
    let (json, _) = filled.output(1, &["status", "--check", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(status["healthy"], false);
    // What can't be read is not healthy either.
    std::fs::write(filled.path(), "these are no pages of SQLite\n".repeat(50)).expect("a file");
    filled.output(1, &["status", "--check"]);
}

#[test]
fn status_shows_the_disk_reserve_and_when_the_passes_run_next() {
    let setting = Setting::with("[archive]\nmin_free_space = \"3 MiB\"\n");
    setting.space.archivable("lesson");
    setting.once(0);
    let status = || -> serde_json::Value {
        let output = setting.run(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let stopped = status();
    assert_eq!(stopped["disk"]["min_free_bytes"], 3 << 20);
    assert!(
        stopped["disk"]["free_bytes"].as_u64() > Some(0),
        "{stopped}"
    );
    assert_eq!(stopped["next_runs"]["poll"], json!(null), "nothing runs");
    let mut daemon = setting.daemon();
    setting.wait(|_| status()["running"] == true);
    let running = status();
    for pass in ["poll", "sweep", "verify"] {
        let next = running["next_runs"][pass].as_str().expect(pass);
        assert!(
            next > running["at"].as_str().expect("a time"),
            "{pass}: {next}"
        );
    }
    let text = setting.run(&["status"]);
    let text = super::text(&text.stdout);
    assert!(text.contains("\nservice  running\n"), "{text}");
    assert!(
        text.contains("3.0 MiB are kept free (archive.min_free_space)"),
        "{text}"
    );
    daemon.stop();
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
