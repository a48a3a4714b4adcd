//! A standstill is visible: in `/healthz`, in `status`, in metrics and in the service's status line.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use fake_space::{Action, NewRecording, NewSession, Options, Patch, Rule};
use room_archiver::app::health::{Problem, health};
use serde_json::{Value, json};
use uuid::Uuid;

use super::discovery::Stage;
use super::harness::{Child, Setting};
use super::text;

/// Lets `/healthz` of a daemon with this configuration be somewhere, and says where.
pub fn listening(setting: &mut Setting) -> SocketAddr {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
    let port = port.expect("a port");
    _ = write!(setting.more, "\n[telemetry]\nlisten = \"{port}\"\n");
    port
}

/// What a daemon answers; nothing while it does not listen yet.
pub fn get(port: SocketAddr, path: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(port) else {
        return String::new();
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// Waits until `/healthz` has a line that begins so, with status 503.
pub fn unhealthy(setting: &Setting, port: SocketAddr, line: &str) {
    let mut answer = String::new();
    setting.wait(|_| {
        answer = get(port, "/healthz");
        answer.starts_with("HTTP/1.1 503") && answer.lines().any(|one| one.starts_with(line))
    });
}

pub fn healthy(setting: &Setting, port: SocketAddr) {
    setting.wait(|_| get(port, "/healthz").starts_with("HTTP/1.1 200"));
}

fn metric(setting: &Setting, port: SocketAddr, line: &str) {
    setting.wait(|_| get(port, "/metrics").lines().any(|one| one == line));
}

fn json(setting: &Setting) -> Value {
    let output = setting.run(&["status", "--json"]);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn status(setting: &Setting) -> String {
    text(&setting.run(&["status"]).stdout).to_owned()
}

/// Changes the database beside the service.
fn change(setting: &Setting, statements: &str) {
    setting.write_sql(&format!("PRAGMA busy_timeout = 9000; {statements}"));
}

fn kinds(json: &Value) -> Vec<&str> {
    let problems = json["problems"].as_array().expect("a list");
    problems
        .iter()
        .filter_map(|one| one["kind"].as_str())
        .collect()
}

/// A daemon that polls each second.
fn setting() -> (Setting, SocketAddr) {
    let mut setting = Setting::new(Options::default());
    setting
        .more
        .push_str("[poll]\nschedule = \"* * * * * *\"\nstuck_after = \"1m\"\n");
    let port = listening(&mut setting);
    (setting, port)
}

fn daemon(setting: &Setting) -> Child {
    Child::start(setting, Stdio::piped())
}

fn stop(mut daemon: Child) {
    daemon.terminate();
    assert_eq!(daemon.wait().code(), Some(0), "{:#?}", daemon.told);
}

const TWENTY_MINUTES: &str = "UPDATE pass SET
    started_at = strftime('%Y-%m-%dT%H:%M:%fZ', started_at, '-20 minutes'),
    ended_at = strftime('%Y-%m-%dT%H:%M:%fZ', ended_at, '-20 minutes')";

#[test]
fn no_complete_poll_for_three_periods_shows_everywhere_until_one_is_complete() {
    let (setting, port) = setting();
    assert_eq!(setting.run(&["once", "--sweep"]).status.code(), Some(0));
    assert!(status(&setting).starts_with("healthy\n"));
    setting.write_sql(TWENTY_MINUTES);
    let stopped = json(&setting);
    assert_eq!(stopped["healthy"], false);
    assert_eq!(stopped["running"], false);
    let problem = &stopped["problems"][0];
    assert_eq!(problem["kind"], "poll");
    let expected = "no complete poll for 20 min, and the service is not running";
    assert!(
        problem["text"]
            .as_str()
            .expect("a text")
            .starts_with(&expected[..20]),
        "{problem}"
    );
    assert!(
        problem["text"]
            .as_str()
            .expect("a text")
            .ends_with(&expected[26..]),
        "{problem}"
    );
    assert_eq!(
        problem["since"],
        setting.sql("SELECT max(ended_at) FROM passes")
    );

    let down = setting.space.inject(Rule::api(Action::error(503)));
    let daemon = daemon(&setting);
    unhealthy(&setting, port, "poll: no complete poll for 20 min");
    metric(&setting, port, "room_archiver_healthy 0");
    metric(&setting, port, "room_archiver_problems{kind=\"poll\"} 1");
    // The first attempt to poll has its retries.
    setting.wait(|_| get(port, "/healthz").contains("HTTP 503"));
    let shown = status(&setting);
    assert!(
        shown.starts_with("not healthy\n  poll: no complete poll for 20 min"),
        "{shown}"
    );
    assert!(!shown.contains("not running"), "{shown}");
    setting.space.remove_fault(down);
    healthy(&setting, port);
    metric(&setting, port, "room_archiver_healthy 1");
    metric(&setting, port, "room_archiver_problems{kind=\"poll\"} 0");
    assert_eq!(json(&setting)["healthy"], true);
    stop(daemon);
}

#[test]
fn an_archive_whose_polls_were_never_complete_is_unhealthy_after_a_quarter_of_an_hour() {
    let (setting, port) = setting();
    setting.space.inject(Rule::api(Action::error(503)));
    let mut daemon = daemon(&setting);
    daemon.line("incomplete");
    assert!(get(port, "/healthz").starts_with("HTTP/1.1 200"));
    change(&setting, TWENTY_MINUTES);
    unhealthy(
        &setting,
        port,
        "poll: no complete poll since the first one began 20 min",
    );
    stop(daemon);
}

#[test]
fn refused_credentials_are_a_problem_since_the_first_refusal() {
    let (setting, _) = setting();
    assert_eq!(setting.run(&["once"]).status.code(), Some(0));
    setting.space.refuse_credentials(Some(401));
    for _ in 0..3 {
        assert_eq!(setting.run(&["once"]).status.code(), Some(3));
    }
    let refused = json(&setting);
    assert_eq!(kinds(&refused), ["credentials"]);
    let first = "SELECT min(started_at) FROM passes WHERE outcome = 'refused'";
    assert_eq!(refused["problems"][0]["since"], setting.sql(first));
    setting.space.refuse_credentials(None);
    assert_eq!(setting.run(&["once"]).status.code(), Some(0));
    assert_eq!(json(&setting)["healthy"], true);
}

#[test]
fn a_media_host_that_fails_and_what_is_stuck_by_it_are_visible_with_their_ages_and_the_error() {
    let (setting, port) = setting();
    for _ in 0..3 {
        setting.space.archivable("lesson");
    }
    let down = setting.space.inject(Rule::media(Action::Reset));
    let mut daemon = daemon(&setting);
    daemon.line("started");
    setting.wait(|setting| setting.sql("SELECT count(*) FROM pauses") == "2");
    let host = setting.space.media_url();
    let host = host
        .rsplit('/')
        .find(|part| !part.is_empty())
        .expect("a host");
    let shown = json(&setting);
    assert_eq!(shown["healthy"], true, "not for long yet: {shown:#}");
    let pauses = shown["pauses"].as_array().expect("a list");
    let of = |reason: &str| pauses.iter().find(|pause| pause["reason"] == reason);
    let failing = of("host").expect("a pause");
    assert_eq!(failing["host"], host);
    assert!(!failing["error"].as_str().expect("an error").is_empty());
    assert_eq!(
        failing["since"],
        setting.sql("SELECT since FROM pauses WHERE reason = 'host'")
    );
    assert_eq!(of("failures").expect("a pause")["host"], Value::Null);
    let shown = status(&setting);
    assert!(
        shown.contains(&format!("media host fails        {host}")),
        "{shown}"
    );
    assert!(shown.contains("downloads keep failing"), "{shown}");
    metric(&setting, port, "room_archiver_paused{reason=\"host\"} 1");
    metric(
        &setting,
        port,
        "room_archiver_paused{reason=\"failures\"} 1",
    );
    metric(&setting, port, "room_archiver_paused{reason=\"disk\"} 0");
    metric(&setting, port, "room_archiver_paused{reason=\"api\"} 0");

    change(
        &setting,
        "UPDATE pause SET since = '2026-01-01T00:00:00.000Z';
         UPDATE recording SET pending_since = '2026-01-01T00:00:00.000Z' WHERE rowid < 3",
    );
    unhealthy(
        &setting,
        port,
        &format!("host: the media host {host} has failed for "),
    );
    unhealthy(
        &setting,
        port,
        "downloads: one download after another has failed for ",
    );
    unhealthy(
        &setting,
        port,
        "stuck: 2 recordings completed upstream have not been archived, the oldest for ",
    );
    let stuck = json(&setting);
    assert_eq!(kinds(&stuck), ["host", "downloads", "stuck"]);
    assert_eq!(stuck["stuck"], 2);
    assert_eq!(stuck["failures"], 2);
    let reasons = setting.sql("SELECT reason FROM failures");
    let error = setting.sql("SELECT last_error FROM queue LIMIT 1");
    assert_eq!(reasons.lines().count(), 2);
    assert!(reasons.contains(&error) && !error.is_empty(), "{reasons}");
    let answer = get(port, "/healthz");
    assert!(answer.contains(&error), "{answer}");
    metric(&setting, port, "room_archiver_stuck 2");
    metric(&setting, port, "room_archiver_problems{kind=\"stuck\"} 1");
    let metrics = get(port, "/metrics");
    let age = metrics
        .lines()
        .find_map(|line| line.strip_prefix("room_archiver_oldest_unarchived_seconds "));
    let age: u64 = age.and_then(|age| age.parse().ok()).expect("an age");
    assert!(age > 86_400, "{age}");

    setting.space.remove_fault(down);
    healthy(&setting, port);
    metric(&setting, port, "room_archiver_oldest_unarchived_seconds 0");
    metric(&setting, port, "room_archiver_paused{reason=\"host\"} 0");
    assert_eq!(setting.sql("SELECT count(*) FROM archive"), "3");
    assert_eq!(json(&setting)["pauses"], json!([]));
    stop(daemon);
}

#[test]
fn a_full_disk_and_an_api_that_refuses_links_are_problems_at_once() {
    let (mut setting, port) = setting();
    setting.space.archivable("lesson");
    let before = setting.more.clone();
    setting.more += "[archive]\nmin_free_space = \"8000TiB\"\n";
    let full = daemon(&setting);
    unhealthy(&setting, port, "disk: downloads have been paused for ");
    let shown = json(&setting);
    assert_eq!(shown["pauses"][0]["reason"], "disk", "{shown:#}");
    assert_eq!(kinds(&shown), ["disk"]);
    metric(&setting, port, "room_archiver_paused{reason=\"disk\"} 1");
    stop(full);

    setting.more = before;
    setting.write_sql("UPDATE recording SET next_attempt_at = NULL");
    setting.space.inject(Rule::media(Action::error(403)));
    let limited = Rule::single_recordings(Action::retry_after(429, "3600"));
    setting.space.inject(limited);
    let limited = daemon(&setting);
    unhealthy(&setting, port, "api: downloads have been paused for ");
    let shown = status(&setting);
    assert!(
        shown.contains("\nDownloads are paused or slowed down\n"),
        "{shown}"
    );
    assert!(shown.contains("Hosts that are rate-limiting us"), "{shown}");
    metric(&setting, port, "room_archiver_paused{reason=\"api\"} 1");
    stop(limited);
}

#[test]
fn the_age_of_a_pause_of_the_api_survives_complete_polls() {
    let (setting, port) = setting();
    for _ in 0..12 {
        setting.space.archivable("lesson");
    }
    setting.space.inject(Rule::media(Action::error(403)));
    setting
        .space
        .inject(Rule::single_recordings(Action::error(401)));
    let daemon = daemon(&setting);
    unhealthy(&setting, port, "api: downloads have been paused for ");
    let since = |setting: &Setting| setting.sql("SELECT since FROM pauses WHERE reason = 'api'");
    let began = since(&setting);
    let later =
        "SELECT (SELECT count(*) FROM passes WHERE outcome = 'complete' AND started_at > since) > 1
                 FROM pauses WHERE reason = 'api'";
    setting.wait(|setting| setting.sql(later) == "1");
    // The polls had the download tried again, and refused again.
    let links = |setting: &Setting| {
        let journal = setting.space.journal();
        let links = journal
            .iter()
            .filter(|seen| seen.path.contains("/room_recordings/"));
        links.count()
    };
    let before = links(&setting);
    setting.wait(|setting| links(setting) > before);
    assert_eq!(since(&setting), began);
    stop(daemon);
}

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
    let failures = stage.setting.sql("SELECT count(*) FROM failures");
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
    let session = setting.space.add_session(NewSession::completed("lesson"));
    let recording = setting
        .space
        .add_recording(session, NewRecording::default());
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
    let daemon = daemon(&setting);
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
    stop(daemon);
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
