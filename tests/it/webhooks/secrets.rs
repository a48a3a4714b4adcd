//! Neither secret nor URL is seen anywhere, not even when the configuration is wrong.

use super::OTHER;
use crate::harness::{Receiver, SECRET, Setting};
use crate::text;

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
