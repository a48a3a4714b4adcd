//! `doctor` tries each object store.

use chrono::TimeDelta;

use super::{Offsite, text};

#[test]
fn doctor_tries_an_object_store_for_real_and_leaves_nothing_there() {
    let offsite = Offsite::new(1, "");
    let before = offsite.bucket.objects();
    let said = text(&offsite.setting.run(&["doctor"]));
    for expected in [
        "read back and deleted",
        "conditional writes: supported",
        "versioning: off",
        "Object Lock: off",
        "clock: agrees with the store's",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    assert!(offsite.bucket.objects() == before && offsite.bucket.uploads().is_empty());
    offsite.bucket.set_locked();
    offsite.bucket.set_clock_ahead(TimeDelta::minutes(10));
    let output = offsite.setting.run(&["doctor"]);
    let said = text(&output);
    for expected in [
        "versioning: on",
        "Object Lock: on, GOVERNANCE, 30 days",
        "behind the store's",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(output.status.code(), Some(1), "ten minutes are too much");
    offsite.bucket.refuse(true);
    let output = offsite.setting.run(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("docs/copies.md"), "{output:?}");
}
