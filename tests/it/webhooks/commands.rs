//! The commands, and the webhook that only a command enables again.

use serde_json::json;

use crate::harness::{Receiver, Setting};
use crate::text;

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
