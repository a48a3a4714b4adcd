//! The libraries of the specification, and the receiver of the documentation, accept what is sent.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use super::OTHER;
use crate::harness::{Capability, EVERY_SECOND, Receiver, SECRET, Setting, skip};
use crate::text;

const PAGE: &str = include_str!("../../../docs/webhooks.md");

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
