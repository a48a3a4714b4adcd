//! A standstill is visible: in `/healthz`, in `status`, in metrics and in the service's status line.

use std::net::SocketAddr;

use fake_space::{Action, Rule};
use serde_json::{Value, json};

use super::harness::{Setting, get, healthy, listening, unhealthy};
use super::text;

pub fn metric(setting: &Setting, port: SocketAddr, line: &str) {
    setting.wait(|_| get(port, "/metrics").lines().any(|one| one == line));
}

pub fn json(setting: &Setting) -> Value {
    let output = setting.run(&["status", "--json"]);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

pub fn status(setting: &Setting) -> String {
    text(&setting.run(&["status"]).stdout).to_owned()
}

fn kinds(json: &Value) -> Vec<&str> {
    let problems = json["problems"].as_array().expect("a list");
    problems
        .iter()
        .filter_map(|one| one["kind"].as_str())
        .collect()
}

/// A daemon that polls each second.
pub fn setting() -> (Setting, SocketAddr) {
    let mut setting = Setting::with("[poll]\nschedule = \"* * * * * *\"\nstuck_after = \"1m\"\n");
    let port = listening(&mut setting);
    (setting, port)
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
    let mut daemon = setting.daemon();
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
    daemon.stop();
}

#[test]
fn an_archive_whose_polls_were_never_complete_is_unhealthy_after_a_quarter_of_an_hour() {
    let (setting, port) = setting();
    setting.space.inject(Rule::api(Action::error(503)));
    let mut daemon = setting.daemon();
    daemon.line("incomplete");
    assert!(get(port, "/healthz").starts_with("HTTP/1.1 200"));
    setting.write_sql(TWENTY_MINUTES);
    unhealthy(
        &setting,
        port,
        "poll: no complete poll since the first one began 20 min",
    );
    daemon.stop();
}

#[test]
fn refused_credentials_are_a_problem_since_the_first_refusal() {
    let (setting, _) = setting();
    setting.once(0);
    setting.space.refuse_credentials(Some(401));
    for _ in 0..3 {
        setting.once(3);
    }
    let refused = json(&setting);
    assert_eq!(kinds(&refused), ["credentials"]);
    let first = "SELECT min(started_at) FROM passes WHERE outcome = 'refused'";
    assert_eq!(refused["problems"][0]["since"], setting.sql(first));
    setting.space.refuse_credentials(None);
    setting.once(0);
    assert_eq!(json(&setting)["healthy"], true);
}

#[test]
fn a_media_host_that_fails_and_what_is_stuck_by_it_are_visible_with_their_ages_and_the_error() {
    let (setting, port) = setting();
    for _ in 0..3 {
        setting.space.archivable("lesson");
    }
    let down = setting.space.inject(Rule::media(Action::Reset));
    let mut daemon = setting.daemon();
    daemon.line("started");
    setting.wait(|setting| setting.count("pauses") == "2");
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

    setting.write_sql(
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
    metric(&setting, port, "room_archiver_stuck{kind=\"unarchived\"} 2");
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
    assert_eq!(setting.count("archive"), "3");
    assert_eq!(json(&setting)["pauses"], json!([]));
    daemon.stop();
}

#[test]
fn a_full_disk_and_an_api_that_refuses_links_are_problems_at_once() {
    let (mut setting, port) = setting();
    setting.space.archivable("lesson");
    let before = setting.more.clone();
    setting.more += "[archive]\nmin_free_space = \"8000TiB\"\n";
    let mut full = setting.daemon();
    unhealthy(&setting, port, "disk: downloads have been paused for ");
    let shown = json(&setting);
    assert_eq!(shown["pauses"][0]["reason"], "disk", "{shown:#}");
    assert_eq!(kinds(&shown), ["disk"]);
    metric(&setting, port, "room_archiver_paused{reason=\"disk\"} 1");
    full.stop();

    setting.more = before;
    setting.due();
    setting.space.inject(Rule::media(Action::error(403)));
    let limited = Rule::single_recordings(Action::retry_after(429, "3600"));
    setting.space.inject(limited);
    let mut limited = setting.daemon();
    unhealthy(&setting, port, "api: downloads have been paused for ");
    let shown = status(&setting);
    assert!(
        shown.contains("\nDownloads are paused or slowed down\n"),
        "{shown}"
    );
    assert!(shown.contains("Hosts that are rate-limiting us"), "{shown}");
    metric(&setting, port, "room_archiver_paused{reason=\"api\"} 1");
    limited.stop();
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
    let mut daemon = setting.daemon();
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
    daemon.stop();
}

#[test]
fn a_pause_is_logged_once_however_often_it_is_tried_again() {
    let (setting, _) = setting();
    for _ in 0..4 {
        setting.space.archivable("lesson");
    }
    let refused = setting
        .space
        .inject(Rule::single_recordings(Action::error(401)));
    let expired = setting.space.inject(Rule::media(Action::error(403)));
    let mut daemon = setting.daemon();
    daemon.line("started");
    let polls = |setting: &Setting, more: u64| {
        let polls = |setting: &Setting| {
            let count = "SELECT count(*) FROM passes WHERE outcome = 'complete'";
            setting.sql(count).parse::<u64>().expect("a number")
        };
        let before = polls(setting);
        setting.wait(|setting| polls(setting) >= before + more);
    };
    let paused = |setting: &Setting| setting.count("pauses WHERE reason = 'api'") == "1";
    setting.wait(paused);
    for _ in 0..3 {
        // Each poll has it tried again, and refused again.
        let before = setting.minted();
        setting.wait(|setting| setting.minted() > before);
        assert!(paused(&setting));
    }
    for rule in [refused, expired] {
        setting.space.remove_fault(rule);
    }
    setting.due();
    setting.wait(|setting| setting.count("archive") == "4");
    setting.wait(|setting| setting.count("pauses") == "0");
    // The same again within minutes.
    for _ in 0..4 {
        setting.space.archivable("hearing");
    }
    for rule in [
        Rule::single_recordings(Action::error(401)),
        Rule::media(Action::error(403)),
    ] {
        setting.space.inject(rule);
    }
    setting.wait(paused);
    polls(&setting, 2);
    daemon.stop();
    assert_eq!(daemon.count("downloads pause"), 1, "{:#?}", daemon.told);
}
