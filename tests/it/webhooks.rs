//! Webhooks: what is told to whom, signed so that the libraries of the specification accept it, and the commands.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fake_space::{Action, Fixture, Media, NewRecording, NewSession, Rule};
use serde_json::json;

use super::harness::{Capability, EVERY_SECOND, Receiver, SECRET, Sent, Setting, skip};
use super::text;

const OTHER: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
const PAGE: &str = include_str!("../../docs/webhooks.md");

/// A program below `target/webhooks` that `.ci/run` installs; the test is skipped without.
fn library(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/webhooks")
        .join(name);
    if path.exists() {
        return Some(path);
    }
    skip(
        Capability::WebhookLibraries,
        &format!("there is no {}", path.display()),
    );
    None
}

/// What a library thinks of requests, a word each.
fn judge(mut command: Command, requests: &str) -> String {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("a program");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(requests.as_bytes()).expect("sent");
    drop(stdin);
    let output = child.wait_with_output().expect("a child");
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout).to_owned()
}

const PYTHON: &str = "
import json, sys
from standardwebhooks import Webhook, WebhookVerificationError
for line in sys.stdin:
    r = json.loads(line)
    try: print('ok' if Webhook(r['secret']).verify(r['body'], r['headers'])['type'] else '')
    except WebhookVerificationError: print('refused')
";
const JAVASCRIPT: &str = "
const { Webhook, WebhookVerificationError } = require('standardwebhooks');
for (const line of require('fs').readFileSync(0, 'utf8').trim().split('\\n')) {
    const r = JSON.parse(line);
    try { console.log(new Webhook(r.secret).verify(r.body, r.headers).type ? 'ok' : ''); }
    catch (e) { if (!(e instanceof WebhookVerificationError)) throw e; console.log('refused'); }
}";

/// A request with both secrets, as cases: each secret, another one, another body.
fn cases() -> String {
    let receiver = Receiver::new();
    let mut setting = Setting::with("");
    setting.webhook("ops", &receiver.url, "");
    let both = format!("{SECRET}\n{OTHER}\n");
    std::fs::write(setting.directory.path().join("ops.secret"), both).expect("a file");
    setting.space.archivable("Zürich \u{1f3a5}");
    setting.once(0);
    let sent = &receiver.sent()[0];
    assert_eq!(receiver.kinds(), ["recording.archived"]);
    let third = "whsec_////////////////////////////////////////////";
    let other = sent.body.replace("archived", "Archived");
    [
        (SECRET, &sent.body),
        (OTHER, &sent.body),
        (third, &sent.body),
        (SECRET, &other),
    ]
    .map(|(secret, body)| {
        json!({ "secret": secret, "headers": sent.headers, "body": body }).to_string() + "\n"
    })
    .concat()
}

#[test]
fn the_python_library_of_the_specification_accepts_what_is_sent() {
    if let Some(python) = library("venv/bin/python") {
        let mut command = Command::new(python);
        command.args(["-c", PYTHON]);
        assert_eq!(judge(command, &cases()), "ok\nok\nrefused\nrefused\n");
    }
}

#[test]
fn the_javascript_library_of_the_specification_accepts_what_is_sent() {
    if let Some(modules) = library("node/node_modules/standardwebhooks") {
        let mut command = Command::new("node");
        command
            .args(["-e", JAVASCRIPT])
            .current_dir(modules.join("../.."));
        assert_eq!(judge(command, &cases()), "ok\nok\nrefused\nrefused\n");
    }
}

/// A program that ends with the test, however that ends.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[test]
fn the_receiver_of_the_documentation_works() {
    let Some(python) = library("venv/bin/python") else {
        return;
    };
    let block = PAGE.split("```python\n").nth(1).expect("a block");
    let block = block.split("```").next().expect("an end");
    assert_eq!(block.lines().count(), 10);
    let port = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
    let port = port.expect("a port").port();
    let mut setting = Setting::with(EVERY_SECOND);
    setting.webhook("ops", &format!("http://127.0.0.1:{port}/"), "");
    let directory = setting.directory.path();
    std::fs::write(directory.join("secret"), SECRET).expect("a file");
    let receiver = Command::new(python)
        .args(["-c", &block.replace("8099", &port.to_string())])
        .current_dir(directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a program");
    let mut receiver = Ended(receiver);
    setting.wait(|_| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let (_, recording) = setting.space.archivable("lesson");
    setting.once(0);
    let delivered = "SELECT type, state, http_status FROM deliveries";
    assert_eq!(setting.sql(delivered), "recording.archived|delivered|204");
    receiver.0.kill().expect("a child");
    let mut said = String::new();
    let stdout = receiver.0.stdout.as_mut().expect("a pipe");
    stdout.read_to_string(&mut said).expect("text");
    assert!(said.starts_with("recording.archived {"), "{said}");
    assert!(said.contains(&recording.to_string()), "{said}");
}

#[test]
fn a_recording_is_told_of_from_its_archiving_to_its_repair() {
    let receiver = Receiver::new();
    let mut setting = Setting::with("");
    setting.webhook("ops", &receiver.url, "");
    let recording = setting.add(NewRecording {
        duration: Some(60),
        ..NewRecording::completed(Media::fixture(Fixture::ThreeSeconds))
    });
    setting.once(0);
    std::fs::remove_file(&setting.files()[0]).expect("a file");
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(5));
    setting.once(0);
    let expected = [
        "recording.archived",
        "recording.concern",
        "recording.damaged",
        "recording.repaired",
        "recording.concern",
    ];
    assert_eq!(receiver.kinds(), expected);
    for sent in receiver.sent() {
        assert_eq!(sent.recording(), recording.to_string());
        assert!(!sent.body.contains("://"), "a link: {}", sent.body);
        let event = sent.event();
        let data = &event["data"];
        assert_eq!(data["room_name"], "lesson");
        assert_eq!(data["sha256"].as_str().map(str::len), Some(64));
        let (state, damage) = match sent.kind().as_str() {
            "recording.damaged" => ("damaged", json!("missing")),
            _ => ("archived", json!(null)),
        };
        assert_eq!((&data["state"], &data["damage"]), (&json!(state), &damage));
        assert_eq!(data["concerns"][0]["concern"], "duration");
    }
    let ids: std::collections::BTreeSet<_> = receiver
        .sent()
        .iter()
        .map(|sent| sent.id().to_owned())
        .collect();
    assert_eq!(ids.len(), expected.len());
}

#[test]
fn what_is_stuck_or_lost_is_told_once_and_so_is_the_health_of_the_archive() {
    let receiver = Receiver::new();
    let mut setting = Setting::with(
        "[poll]\nschedule = \"* * * * * *\"\nstuck_after = \"1m\"\n[download]\nretry_initial = \"10m\"\n",
    );
    setting.webhook(
        "ops",
        &receiver.url,
        "events = [\"*.stuck\", \"*.lost\", \"archive.*\"]",
    );
    let (_, stuck) = setting.space.archivable("lesson");
    let (_, lost) = setting.space.archivable("hearing");
    setting.space.inject(Rule::media(Action::error(500)));
    setting.run(&["once"]);
    setting.space.delete_recording(lost);
    setting.due();
    setting.run(&["once"]);
    setting.write_sql(&format!(
        "UPDATE recording SET pending_since = '2026-01-02T00:00:00.000Z' WHERE id = '{stuck}'"
    ));
    let mut daemon = setting.daemon();
    let told = |kind: &str| receiver.kinds().iter().filter(|one| *one == kind).count();
    setting.wait(|_| told("recording.stuck") == 1 && told("archive.unhealthy") >= 1);
    let unhealthy = receiver.sent();
    let unhealthy = unhealthy
        .iter()
        .find(|sent| sent.kind() == "archive.unhealthy");
    let problems = unhealthy.expect("it").event();
    assert_eq!(problems["data"]["problems"][0]["kind"], "stuck");
    daemon.stop();
    let mut daemon = setting.daemon();
    daemon.line("poll complete");
    daemon.line("poll complete");
    daemon.stop();
    assert_eq!((told("recording.stuck"), told("archive.unhealthy")), (1, 1));
    let of_lost: Vec<_> = receiver
        .sent()
        .iter()
        .filter(|sent| sent.recording() == lost.to_string())
        .map(Sent::kind)
        .collect();
    assert_eq!(of_lost, ["recording.lost"]);
}

#[test]
fn a_webhook_gets_only_the_rooms_types_and_names_that_it_is_to_get() {
    let receivers: Vec<_> = (0..3).map(|_| Receiver::new()).collect();
    let mut setting = Setting::with("");
    setting.webhook("rooms", &receivers[0].url, "rooms = [\"les*\"]");
    setting.webhook("types", &receivers[1].url, "events = [\"recording.lost\"]");
    setting.webhook("discreet", &receivers[2].url, "room_names = false");
    let (_, lesson) = setting.space.archivable("lesson");
    setting.space.archivable("hearing");
    setting.once(0);
    let recordings: Vec<_> = receivers[0].sent().iter().map(Sent::recording).collect();
    assert_eq!(recordings, [lesson.to_string()]);
    assert!(receivers[1].sent().is_empty());
    assert_eq!(receivers[2].sent().len(), 2);
    for sent in receivers[2].sent() {
        assert!(
            !sent.body.contains("lesson") && !sent.body.contains("hearing"),
            "{}",
            sent.body
        );
    }
    assert_eq!(setting.count("deliveries"), "3");
}

#[test]
fn without_a_webhook_nothing_is_written_down_for_one() {
    let setting = Setting::with("");
    setting.space.archivable("lesson");
    setting.once(0);
    let rows = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM delivery) + (SELECT count(*) FROM webhook)
        + (SELECT count(*) FROM stuck_reported)";
    assert_eq!(setting.sql(rows), "0");
}

#[test]
fn a_webhook_that_is_gone_is_disabled_until_somebody_enables_it() {
    let receiver = Receiver::answering(|_, nth| Some((if nth == 0 { 410 } else { 200 }, "")));
    let mut setting = Setting::with("");
    setting.webhook("ops", &receiver.url, "");
    setting.space.archivable("lesson");
    setting.once(0);
    setting.space.archivable("hearing");
    setting.once(0);
    assert_eq!(receiver.sent().len(), 1);
    let status = setting.run(&["status"]);
    let status = text(&status.stdout);
    assert!(status.contains("webhook enable ops"), "{status}");
    assert!(status.contains("not healthy\n  webhooks: "), "{status}");
    let enabled = setting.run(&["webhook", "enable", "ops"]);
    assert_eq!(
        text(&enabled.stdout),
        "ops is enabled; the service sends to it\n"
    );
    setting.once(0);
    let sent = receiver.sent();
    assert_eq!(sent.len(), 3);
    assert_eq!(sent[0].id(), sent[1].id());
    let status = setting.run(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(text(&status.stdout)).expect("JSON");
    assert_eq!(status["webhooks"][0]["pending"], 0);
    assert_eq!(status["webhooks"][0]["disabled_at"], json!(null));

    let replayed = setting.run(&["webhook", "replay", "ops", "--event", sent[2].id()]);
    assert_eq!(
        text(&replayed.stdout),
        "1 event will be sent to ops again; the service does it\n"
    );
    setting.run(&["webhook", "replay", "ops", "--since", "2020-01-01"]);
    setting.once(0);
    let again: Vec<_> = receiver.sent()[3..]
        .iter()
        .map(|sent| sent.id().to_owned())
        .collect();
    assert_eq!(again, [sent[1].id(), sent[2].id()]);
    for wrong in [["replay", "other"], ["enable", "other"], ["test", "other"]] {
        let refused = setting.run(&["webhook", wrong[0], wrong[1]]);
        assert_eq!(refused.status.code(), Some(1));
        let error = text(&refused.stderr);
        assert_eq!(
            error,
            "error: there is no webhook 'other'; there are: ops\n"
        );
    }
}

#[test]
fn a_test_says_what_the_receiver_answered_and_never_where_it_is() {
    let receiver = Receiver::answering(|_, nth| {
        [Some((202, "")), Some((301, "location: /x\r\n"))][nth.min(1)]
    });
    let mut setting = Setting::with("");
    setting.webhook("ops", &receiver.url, "");
    let tested = setting.run(&["webhook", "test", "ops"]);
    assert_eq!(
        text(&tested.stdout),
        "ops accepted a test event: it answered 202\n"
    );
    assert_eq!(receiver.kinds(), ["webhook.test"]);
    let refused = setting.run(&["webhook", "test", "ops"]);
    let error = text(&refused.stderr);
    assert!(
        error.contains("it answered 301: redirects are not followed"),
        "{error}"
    );
    assert_eq!((refused.status.code(), receiver.sent().len()), (Some(1), 2));
    let shown = setting.run(&["config", "show"]);
    let shown = text(&shown.stdout);
    let host = receiver.url.split("/hook").next().expect("a host");
    assert!(shown.contains(&format!("url = \"{host}/…\"")), "{shown}");
    for output in [&tested, &refused] {
        assert!(!format!("{output:?}").contains("s3cret"), "{output:?}");
    }
}

#[test]
fn addresses_that_are_not_public_are_refused_unless_they_are_allowed_and_some_always() {
    for (url, allow, expected) in [
        ("https://127.0.0.1:9/", false, "private or local address"),
        ("https://10.0.0.1/", false, "private or local address"),
        ("http://127.0.0.1:9/", false, "must begin with https://"),
        ("https://169.254.169.254/", true, "never connected to"),
        ("https://[fe80::1]/", true, "never connected to"),
        (
            "https://[::ffff:169.254.169.254]/",
            true,
            "never connected to",
        ),
        ("https://100.100.100.200/", true, "never connected to"),
        (
            "http://93.184.215.14/",
            true,
            "http is for private networks",
        ),
        ("https://localhost:9/", false, "no public address"),
    ] {
        let mut setting = Setting::with("");
        setting.webhook("ops", url, "");
        setting.more = setting.more.replace(
            "allow_private_addresses = true",
            &format!("allow_private_addresses = {allow}"),
        );
        let tested = setting.run(&["webhook", "test", "ops"]);
        let error = text(&tested.stderr);
        assert!(error.contains(expected), "{url}: {error}");
        assert_ne!(tested.status.code(), Some(0));
    }
    // Allowed, and then there is nobody.
    let mut setting = Setting::with("");
    setting.webhook("ops", "https://localhost:9/", "");
    let tested = setting.run(&["webhook", "test", "ops"]);
    let error = text(&tested.stderr);
    assert!(error.contains("could not connect"), "{error}");
}

#[test]
fn mistakes_in_a_webhook_are_reported_with_their_key_and_without_a_secret() {
    let mut setting = Setting::with("");
    setting.webhook(
        "ops",
        "ftp://example.com/s3cret",
        "events = [\"recording.lots\"]\nsecret = \"whsec_x\"\nrooom = 1",
    );
    setting.webhook("Bad", "https://example.com/", "");
    let checked = setting.run(&["config", "check"]);
    let error = text(&checked.stderr);
    for expected in [
        "webhooks.ops.url: must be a URL",
        "webhooks.ops.events: each must be a type of event",
        "webhooks.ops.secret: a secret never belongs here",
        "webhooks.ops.rooom: unknown key; did you mean webhooks.ops.rooms?",
        "webhooks.Bad: the name must have",
    ] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
    assert!(
        !error.contains("s3cret") && !error.contains("whsec_x"),
        "{error}"
    );
    assert_eq!(checked.status.code(), Some(2));

    for (secret, expected) in [
        ("", "it is empty"),
        ("whsec_dG9vIHNob3J0", "24 to 64 bytes"),
        ("no-secret-of-ours", "begins with"),
    ] {
        let mut setting = Setting::with("");
        setting.webhook("ops", "https://example.com/", "");
        std::fs::write(setting.directory.path().join("ops.secret"), secret).expect("a file");
        for command in [&["config", "check"][..], &["run"]] {
            let refused = setting.run(command);
            let error = text(&refused.stderr);
            assert!(error.contains(expected), "{expected}: {error}");
            assert!(secret.is_empty() || !error.contains(secret), "{error}");
            assert_eq!(refused.status.code(), Some(2), "{error}");
        }
    }
}

#[test]
fn a_webhook_can_be_added_while_the_service_runs() {
    let receiver = Receiver::new();
    let mut setting = Setting::with(EVERY_SECOND);
    setting.space.archivable("lesson");
    let mut daemon = setting.daemon();
    daemon.line("started");
    setting.wait(|setting| setting.count("archive") == "1");
    setting.webhook("ops", &receiver.url, "");
    setting.config_file();
    daemon.signal(rustix::process::Signal::HUP);
    daemon.line("the configuration was reloaded");
    let session = setting.space.add_session(NewSession::completed("hearing"));
    let second = setting
        .space
        .add_recording(session, NewRecording::default());
    setting.wait(|_| !receiver.sent().is_empty());
    daemon.stop();
    let told: Vec<_> = receiver.sent().iter().map(Sent::recording).collect();
    assert_eq!(told, [second.to_string()]);
}

#[test]
fn neither_the_secret_nor_the_url_of_a_webhook_is_logged_shown_or_stored() {
    let receiver = Receiver::answering(|_, nth| Some((if nth == 0 { 500 } else { 200 }, "")));
    let credentials = tempfile::tempdir().expect("a directory");
    std::fs::write(credentials.path().join("webhook_ops"), OTHER).expect("a file");
    let mut setting = Setting::with("[log]\nlevel = \"trace\"\n");
    setting.webhook("ops", &receiver.url, "");
    setting.webhook("dead", "http://127.0.0.1:9/hook?key=s3cret", "");
    setting.space.archivable("lesson");
    let mut said = String::new();
    for args in [
        &["once"][..],
        &["status"],
        &["status", "--json"],
        &["doctor"],
        &["config", "check"],
        &["config", "show"],
        &["webhook", "test", "ops"],
        &["webhook", "test", "dead"],
    ] {
        let mut command = setting.command();
        command.env("CREDENTIALS_DIRECTORY", credentials.path());
        let output = command.args(args).output().expect("the program");
        said += text(&output.stdout);
        said += text(&output.stderr);
    }
    for expected in [
        "the webhook failed: it answered 500",
        "dead did not accept a test event: could not connect",
        "webhook ops: 1 secret, from '",
        "/webhook_ops'",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    said += &setting.sql(".dump");
    for secret in ["s3cret", &SECRET[6..], &OTHER[6..]] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
}
