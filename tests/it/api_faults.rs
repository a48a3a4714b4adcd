//! What the API can answer in place of pages: too much, too deep, something else, without end, elsewhere.

use std::time::Duration;

use fake_space::{
    Action, Answer, BulkSpec, Fixture, Gate, List, Media, NewRecording, Options, Order, Rule,
};
use room_archiver::cooldown::Cooldowns;
use room_archiver::model::ApiToken;
use room_archiver::poll::Report;
use room_archiver::signalwire::{Client, Options as ClientOptions};
use room_archiver::store::PassOutcome;
use serde_json::{Value, json};

use super::discovery_pages::five;
use super::harness::{HOUR, MIB, MINUTE, Setting, Stage, sqlite, sqlite_write};

fn incomplete(report: &Report, error: &str) {
    assert_eq!(report.outcome, PassOutcome::Incomplete, "{error}");
    let found = report.error.as_deref().unwrap_or_default();
    assert!(found.contains(error), "{error}: {found}");
}

#[test]
fn what_the_api_answered_is_never_logged_and_the_page_is_asked_for_again() {
    let cut = "{\"links\": {}, \"data\": [{\"id\": \"BODYMARKER\", \"a\": ";
    for (kind, body) in [
        ("text/html", "<h1>BODYMARKER</h1>"),
        ("application/json", "{\"data\": \"BODYMARKER\"}"),
        ("application/json", "BODYMARKER"),
        ("application/json", cut),
        ("application/json", ""),
    ] {
        let setting = Setting::with("[log]\nlevel = \"trace\"\n");
        setting.space.archivable("lesson");
        let answer = Answer::new(200).body(kind, body);
        let rule = setting
            .space
            .inject(Rule::session_recordings(Action::Answer(answer)));
        let output = setting.run(&["once"]);
        assert_eq!(output.status.code(), Some(1), "{body}");
        assert_eq!(setting.space.fired(rule), 3, "{body}");
        let told = format!("{output:?}");
        assert!(told.contains("answered with"), "{told}");
        assert!(!told.contains("BODYMARKER"), "{told}");
        assert_eq!(setting.count("sessions"), "1");
    }
}

#[tokio::test]
async fn an_answer_beyond_the_cap_is_given_up_without_reading_it_all() {
    for (chunked, most) in [(false, 16 * MIB), (true, 80 * MIB)] {
        let stage = five(Options::default()).await;
        // Ten times the cap: it would be noticed in time and memory.
        let mut rule = Rule::sessions(Action::OversizedJson(640 * MIB)).page(1);
        if chunked {
            rule = rule.and(Action::Chunked);
        }
        let rule = stage.space().inject(rule);
        let report = stage.archive.poll().await;
        incomplete(&report, "answered with more than 64 MiB");
        assert_eq!(stage.space().fired(rule), 1, "asking again is of no use");
        let sent = stage.space().counters().api_bytes;
        assert!(sent < most, "{sent}");
        assert_eq!(stage.known().len(), 2, "the first page stays");
    }
}

#[tokio::test]
async fn json_nested_absurdly_deep_anywhere_is_a_clear_error() {
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    for (body, error) in [
        (
            format!("{{\"links\": {{\"next\": {deep}}}, \"data\": []}}"),
            "JSON that can't be read",
        ),
        (
            format!("{{\"data\": {{\"a\": {deep}}}}}"),
            "JSON that can't be read",
        ),
        (deep.clone(), "JSON that can't be read"),
        (
            format!("{{\"data\": [{{\"id\": {deep}}}]}}"),
            "1 item could not be read and was rejected",
        ),
    ] {
        let stage = five(Options::default()).await;
        let text = Action::json_text(&body);
        stage.space().inject(Rule::sessions(text).page(1));
        let report = stage.archive.poll().await;
        let found = report.error.unwrap_or_default();
        assert!(found.contains(error), "{error}: {found}");
        assert!(stage.known().len() >= 2);
    }
}

#[tokio::test]
async fn a_sweep_whose_list_has_no_data_marks_nothing_as_gone() {
    for action in [Action::data_missing(), Action::data(Value::Null)] {
        let stage = five(Options::default()).await;
        stage.archive.poll().await;
        let rule = stage.space().inject(Rule::recordings(action));
        incomplete(&stage.archive.sweep().await, "a page without its list");
        assert_eq!(stage.space().fired(rule), 3);
        let states = stage.setting.sql("SELECT DISTINCT state FROM queue");
        assert_eq!(states, "pending");
    }
}

#[tokio::test]
async fn bad_items_build_no_paths_and_do_not_keep_the_good_from_the_archive() {
    let stage = Stage::new(Options::default(), "").await;
    let (_, good) = stage.space().archivable("lesson");
    let mut evil = stage.space().recording_json(good).expect("an object");
    for id in [
        "../../evil",
        "..",
        "",
        "/etc/passwd",
        "00000000-0000-0000-0000-00000000000g",
    ] {
        evil["id"] = json!(id);
        stage.space().add_raw(List::Recordings, evil.clone());
    }
    let report = stage.archive.sweep().await;
    assert_eq!(
        report.error.as_deref(),
        Some("5 items could not be read and were rejected")
    );
    assert_eq!(stage.archive.download().await, 1);
    let files = stage.setting.files();
    assert_eq!(files.len(), 1);
    assert!(files[0].to_string_lossy().contains(&good.to_string()));
    assert!(stage.setting.parts().is_empty());
}

#[tokio::test]
async fn a_recording_that_comes_on_two_pages_is_one_row() {
    let stage = five(Options::default()).await;
    // The page is made, then a row comes in front: the last of this page is the first of the next.
    let shift = Action::after(|space| {
        space.archivable("in front");
    });
    stage.space().inject(Rule::recordings(shift).page(0).once());
    let report = stage.archive.sweep().await;
    assert_eq!(report.outcome, PassOutcome::Complete);
    assert_eq!(
        (report.counts.recordings_seen, report.counts.recordings_new),
        (6, 5)
    );
    assert_eq!(stage.setting.count("recording"), "5");
}

#[tokio::test]
async fn another_object_than_the_one_asked_for_is_never_taken_for_it() {
    let stage = Stage::new(Options::default(), "[download]\nretry_initial = \"10m\"\n").await;
    let (_, wanted) = stage.space().archivable("wanted");
    let session = stage.ended(HOUR);
    let other = NewRecording::completed(Media::fixture(Fixture::ThreeSeconds));
    let other = stage.space().add_recording(session, other);
    let object = stage.space().recording_json(other).expect("an object");
    stage.archive.poll().await;
    stage.space().kill_links();
    let answer = Action::json_text(&object.to_string());
    stage
        .space()
        .inject(Rule::single_recordings(answer).of(wanted));
    assert_eq!(stage.archive.download().await, 1);
    assert_eq!(stage.state(wanted), "pending");
    let error = stage.setting.sql("SELECT last_error FROM queue");
    assert!(error.contains("a different object"), "{error}");
    assert_eq!(
        stage.setting.sql("SELECT recording_id FROM archive"),
        other.to_string()
    );
}

fn client(setting: &Setting) -> Client {
    // The program's own choice is made where the program is put together.
    _ = rustls::crypto::ring::default_provider().install_default();
    let options = ClientOptions {
        base: setting.space.api_url().parse().expect("a URL"),
        project_id: setting.space.project_id(),
        token: ApiToken::new(&setting.space.token()),
        page_size: 1,
        media_ttl: 15 * MINUTE,
        connect_timeout: MINUTE,
        request_timeout: MINUTE,
        retry_delay: Duration::from_millis(1),
        ca: Vec::new(),
        requests: std::sync::Arc::default(),
    };
    let clock = room_archiver::clock::Clock::system();
    Client::new(options, clock, Cooldowns::default()).expect("a client")
}

#[tokio::test]
async fn a_walk_of_endless_pages_with_rows_on_each_ends_at_the_cap() {
    let setting = Setting::with("");
    let (session, _) = setting.space.archivable("lesson");
    let row = json!([{"id": session.to_string()}]);
    setting
        .space
        .inject(Rule::sessions(Action::data(row)).and(Action::endless_pages()));
    let client = client(&setting);
    let mut pages = client.room_sessions();
    let mut count = 0;
    let error = loop {
        match pages.next().await {
            Ok(page) => count += page.expect("no end").items.len(),
            Err(error) => break error.to_string(),
        }
    };
    assert_eq!(count, 10_000);
    assert!(error.ends_with("the pages do not end"), "{error}");
}

#[tokio::test]
async fn redirects_of_the_api_are_never_followed() {
    let trap = Setting::with("");
    for status in [301, 302, 303, 307, 308] {
        let stage = five(Options::default()).await;
        let away = format!("{}/api/video/room_sessions", trap.space.api_url());
        let own = "/api/video/room_recordings".to_owned();
        for place in [away, own] {
            stage.space().clear_faults();
            stage.space().clear_journal();
            stage
                .space()
                .inject(Rule::sessions(Action::Redirect(status, place)));
            let report = stage.archive.poll().await;
            incomplete(&report, &format!("answered with HTTP {status}"));
            assert_eq!(stage.space().counters().api_requests, 1);
        }
    }
    assert!(trap.space.journal().is_empty(), "the trap saw something");
}

#[tokio::test]
async fn answers_that_are_no_http_fail_the_page_alone() {
    let head = |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
    for raw in [
        "nonsense\r\n\r\n".to_owned(),
        "HTTP/1.1 2".to_owned(),
        head("content-length: 5\r\ncontent-length: 6\r\n") + "hello",
        head("content-length: many\r\n"),
        head("transfer-encoding: chunked\r\n") + "zz\r\nhello",
        head(&format!("x-long: {}\r\n", "a".repeat(2 << 20))),
        head(&"x-many: 1\r\n".repeat(10_000)),
    ] {
        let stage = five(Options::default()).await;
        let raw = Action::Raw(raw.into());
        let rule = stage.space().inject(Rule::sessions(raw).page(1));
        incomplete(
            &stage.archive.poll().await,
            "/api/video/room_sessions failed",
        );
        assert_eq!(stage.space().fired(rule), 3);
        assert_eq!(stage.known().len(), 2);
        stage.space().clear_faults();
        assert_eq!(stage.archive.poll().await.outcome, PassOutcome::Complete);
    }
}

#[tokio::test]
async fn an_api_that_answers_ever_so_slowly_is_not_waited_for() {
    let more = "[signalwire]\nrequest_timeout = \"300ms\"\n[download]\nretry_initial = \"1ms\"\n";
    let pause = Duration::from_millis(50);
    for action in [
        Action::TrickleHead(1, pause),
        Action::Trickle(1, pause),
        Action::Hold(Gate::new()),
    ] {
        let stage = Stage::new(Options::default(), more).await;
        stage.space().archivable("lesson");
        let rule = stage.space().inject(Rule::session_recordings(action));
        incomplete(&stage.archive.poll().await, "timed out");
        assert_eq!(stage.space().fired(rule), 3);
        stage.space().clear_faults();
        stage.pass_time(20 * MINUTE);
        assert_eq!(stage.archive.poll().await.outcome, PassOutcome::Complete);
    }
}

#[tokio::test]
async fn each_page_is_committed_before_the_next_is_asked_for() {
    let options = Options {
        order: Order::OldestFirst,
        ..Options::default()
    };
    let stage = five(options).await;
    let (sender, seen) = std::sync::mpsc::channel();
    let database = stage.setting.database();
    let look = Action::after(move |_| {
        // A writer of its own gets in as well: no transaction is open across a request.
        let count = sqlite(&database, "SELECT count(*) FROM recording");
        sqlite_write(&database, "BEGIN IMMEDIATE; COMMIT");
        sender.send(count).expect("a receiver");
    });
    stage.space().inject(Rule::recordings(look));
    stage.archive.sweep().await;
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["0", "2", "4"]);
}

/// The most memory that a sweep of so many recordings took, in MiB.
fn sweep_memory(sessions: u64) -> u64 {
    let mut setting = Setting::with("");
    let more = "[signalwire]\npage_size = 100\n[filter]\ninclude_rooms = [\"none\"]\n";
    setting.more.push_str(more);
    let start = setting.space.now() - chrono::TimeDelta::days(600);
    setting.space.add_bulk(BulkSpec::new(sessions, 10, start));
    let mut daemon = setting.daemon();
    daemon.line("sweep complete");
    let memory = daemon.peak_memory();
    daemon.stop();
    assert_eq!(setting.count("recording"), (sessions * 10).to_string());
    memory >> 20
}

#[test]
fn the_memory_of_a_sweep_does_not_grow_with_what_it_sees() {
    // The caches of the database are full by then. Recordings that were kept would take a KiB each, 20 MiB.
    let few = sweep_memory(2_000);
    let many = sweep_memory(4_000);
    assert!(
        many < few + 14,
        "{few} MiB for 20,000, {many} MiB for 40,000"
    );
}
