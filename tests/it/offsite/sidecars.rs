//! Each copy gets its sidecar, and the sidecar says what is known now.

use serde_json::Value;

use super::{Offsite, text};
use crate::harness::bucket::Fault;

#[test]
fn a_sidecar_follows_its_copy_and_without_it_no_file_leaves_the_disk() {
    let mut offsite = Offsite::new(1, "keep_local = \"1d\"\n");
    let value: Value =
        serde_json::from_slice(&offsite.stored(&offsite.sidecar(0)).body).expect("JSON");
    let path = format!("lesson/{}.mp4", offsite.ids[0]);
    assert_eq!(value["path"], path);
    assert_eq!(value["recording"]["id"], offsite.ids[0].to_string());
    assert_eq!(value["recording"].get("uri"), None);
    let setting = &offsite.setting;
    let second = setting.add_media(&crate::harness::media(crate::harness::MIB));
    let error = Fault::Error(500, "InternalError", Vec::new());
    offsite.bucket.inject("sidecar", 1000, error);
    setting.once(0);
    let state = format!("SELECT state FROM copies WHERE recording_id = '{second}'");
    let pending = "SELECT sidecars_pending FROM copy_targets";
    assert_eq!(
        (setting.sql(&state), setting.sql(pending)),
        both("copied", "1")
    );
    offsite.days_pass();
    offsite.verify();
    let setting = &offsite.setting;
    setting.once(0);
    assert_eq!(
        setting.files(),
        [setting.target(second)],
        "only the first has left"
    );
    // What stands still is visible.
    let status = setting.run(&["status"]);
    assert!(
        text(&status).contains("copies without a sidecar for 3 d"),
        "{status:?}"
    );
    offsite.bucket.clear_faults();
    let puts = offsite.bucket.count("put") + offsite.bucket.count("part");
    setting.once(0);
    assert_eq!(
        (setting.sql(&state), setting.sql(pending)),
        both("copied", "0")
    );
    let again = offsite.bucket.count("put") + offsite.bucket.count("part");
    assert_eq!(again, puts, "the recording itself is not sent again");
    setting.once(0);
    assert_eq!(setting.files().len(), 0);
}

fn both(one: &str, other: &str) -> (String, String) {
    (one.to_owned(), other.to_owned())
}

#[test]
fn a_sidecar_is_written_again_when_what_it_says_changes() {
    let offsite = Offsite::new(1, "");
    offsite
        .setting
        .write_sql("UPDATE recording SET upstream = json_set(upstream, '$.note', 'changed')");
    offsite.setting.once(0);
    let stored = offsite.stored(&offsite.sidecar(0));
    let value: Value = serde_json::from_slice(&stored.body).expect("JSON");
    // The next poll has SignalWire's object again, or the change is there.
    assert!(offsite.bucket.count("sidecar") >= 2);
    assert!(value["recording"].is_object());
    let sent = offsite.bucket.count("sidecar");
    offsite.setting.once(0);
    assert_eq!(offsite.bucket.count("sidecar"), sent);
}

#[test]
fn an_object_of_others_under_the_key_of_a_sidecar_is_not_replaced() {
    let offsite = Offsite::new(1, "");
    let setting = &offsite.setting;
    let second = setting.add_media(&crate::harness::media(crate::harness::MIB));
    let key = format!("pre fix/lesson/{second}.mp4.json");
    offsite.bucket.place(&key, b"{\"mine\": 1}");
    setting.once(0);
    assert_eq!(offsite.stored(&key).body, b"{\"mine\": 1}");
    let events = offsite.events("copy");
    assert!(
        events.contains("another object is under the key"),
        "{events}"
    );
}

#[test]
fn a_sidecar_that_vanished_or_was_cut_is_written_again() {
    let mut offsite = Offsite::new(3, "");
    let whole: Vec<_> = (0..3)
        .map(|n| offsite.stored(&offsite.sidecar(n)).body)
        .collect();
    offsite.bucket.remove(&offsite.sidecar(0));
    offsite.bucket.cut(&offsite.sidecar(1));
    offsite.verify();
    offsite.setting.once(0);
    let again: Vec<_> = (0..1)
        .map(|n| offsite.stored(&offsite.sidecar(n)).body)
        .collect();
    assert!(again[..] == whole[..1]);
    // What is no longer a sidecar might be somebody's: it is reported.
    let events = offsite.events("copy");
    assert!(
        events.contains("another object is under the key"),
        "{events}"
    );
}

#[test]
fn a_copy_that_vanished_with_its_sidecar_is_made_again_with_it() {
    let mut offsite = Offsite::new(2, "");
    let sidecar = offsite.stored(&offsite.sidecar(0)).body;
    offsite.bucket.remove(&offsite.key(0));
    offsite.bucket.remove(&offsite.sidecar(0));
    offsite.verify();
    offsite.setting.once(0);
    assert!(offsite.stored(&offsite.key(0)).body.len() as u64 == crate::harness::MIB);
    assert!(offsite.stored(&offsite.sidecar(0)).body == sidecar);
}
