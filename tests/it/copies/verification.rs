//! Copies are looked for on the schedule of verifications.

use super::{Copying, KIB, THREE_PARTS};
use crate::harness::bucket::Fault;

const EACH_SECOND: &str = "[verify]\nschedule = \"* * * * * *\"\n";

/// An archive with copies of seven recordings, the first in three parts, whose service is stopped.
fn copied(more: &str) -> (Copying, Vec<uuid::Uuid>) {
    let copying = Copying::with(more);
    let mut ids = vec![copying.add(THREE_PARTS)];
    ids.extend((1..7).map(|size| copying.add(size * KIB)));
    let sections = copying.setting.more.clone();
    let mut copying = copying;
    copying.setting.more = sections.replace(EACH_SECOND, "");
    let mut daemon = copying.daemon();
    for id in &ids {
        copying.wait_until_copied(*id);
    }
    let sidecars = "SELECT sidecars_pending FROM copy_targets";
    copying.setting.wait(|setting| setting.sql(sidecars) == "0");
    daemon.stop();
    copying.setting.more = sections;
    (copying, ids)
}

const VERIFIED: &str = "SELECT count(*) FROM copy_targets WHERE verified_at IS NOT NULL";

#[test]
fn a_list_verifies_all_copies_without_reading_them() {
    let (copying, _) = copied(EACH_SECOND);
    let looks = || (copying.bucket.count("head"), copying.bucket.count("get"));
    let before = looks();
    let mut daemon = copying.daemon();
    copying.setting.wait(|setting| setting.sql(VERIFIED) == "1");
    daemon.stop();
    // Pages of three.
    assert!(copying.bucket.count("list") >= 3);
    assert_eq!(looks(), before);
    let later = "SELECT count(*) FROM copies WHERE verified_at > copied_at";
    assert_eq!(copying.setting.sql(later), "7");
}

#[test]
fn a_target_that_failed_at_its_verification_is_tried_again_though_there_is_nothing_to_copy() {
    let (copying, _) = copied(EACH_SECOND);
    let refused = Fault::Error(403, "AccessDenied", Vec::new());
    copying.bucket.inject("list", 2, refused);
    let mut daemon = copying.daemon();
    daemon.line("the object store works again");
    copying.setting.wait(|setting| setting.sql(VERIFIED) == "1");
    let failing = "SELECT failing_since IS NULL FROM copy_targets";
    copying.setting.wait(|setting| setting.sql(failing) == "1");
    daemon.stop();
}

#[test]
fn a_list_that_lags_costs_looks_and_no_false_alarm() {
    let (copying, _) = copied(EACH_SECOND);
    copying.bucket.inject("list", 1000, Fault::EmptyList);
    let heads = copying.bucket.count("head");
    let mut daemon = copying.daemon();
    copying.setting.wait(|setting| setting.sql(VERIFIED) == "1");
    daemon.stop();
    assert!(copying.bucket.count("head") >= heads + 7);
    let wrong = "SELECT count(*) FROM copies WHERE state <> 'copied' OR verified_at <= copied_at";
    assert_eq!(copying.setting.sql(wrong), "0");
}

#[test]
fn missing_and_altered_copies_are_copied_again_and_what_was_there_is_kept() {
    let (copying, ids) = copied(EACH_SECOND);
    let large = Copying::key(ids[0]);
    copying.bucket.remove(&Copying::key(ids[1]));
    copying.bucket.place(&Copying::key(ids[2]), b"altered");
    copying.bucket.place(&large, b"altered, and of three parts");
    let mut daemon = copying.daemon();
    let sound = |id| {
        let file = std::fs::read(copying.setting.target(id)).expect("a file");
        let object = copying.bucket.objects().get(&Copying::key(id)).cloned();
        object.is_some_and(|object| object.body == file) && copying.copy_is(id, "copied")
    };
    for id in &ids[..3] {
        copying.setting.wait(|_| sound(*id));
    }
    daemon.stop();
    let objects = copying.bucket.objects();
    let kept = |key: &str| {
        let set_aside = key.replace("pre fix/", "pre fix/.altered/");
        let mut objects = objects.iter();
        let found = objects.find(|(key, _)| key.starts_with(&set_aside));
        found.map(|(_, object)| object.body.clone())
    };
    assert_eq!(
        kept(&Copying::key(ids[2])).as_deref(),
        Some(&b"altered"[..])
    );
    assert!(kept(&large).is_some() && kept(&Copying::key(ids[1])).is_none());
    let events = copying
        .setting
        .sql("SELECT text FROM events WHERE kind = 'copy' ORDER BY id");
    assert!(
        events.contains("is no longer there") && events.contains("is not what was copied"),
        "{events}"
    );
    let copies = copying.setting.sql("SELECT sum(copies) FROM archive");
    assert_eq!(copies, "7");
}

#[test]
fn an_oddity_that_is_gone_at_the_second_look_is_none() {
    let other = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\netag: \"other\"\r\nlast-modified: Thu, 26 Nov 2026 10:00:00 GMT\r\n\r\n";
    let missing = Fault::Error(404, "NoSuchKey", Vec::new());
    for oddity in [Fault::Raw(other.to_owned()), missing] {
        let (copying, _) = copied(EACH_SECOND);
        copying.bucket.inject("list", 1000, Fault::EmptyList);
        copying.bucket.inject("head", 1, oddity);
        let mut daemon = copying.daemon();
        copying.setting.wait(|setting| setting.sql(VERIFIED) == "1");
        daemon.stop();
        let events = "SELECT count(*) FROM events WHERE kind = 'copy'";
        assert_eq!(copying.setting.sql(events), "0");
        let copies = copying.setting.sql("SELECT sum(copies) FROM archive");
        assert_eq!(copies, "7");
    }
}

#[test]
fn the_budget_reads_copies_back_and_finds_what_no_list_shows() {
    let (mut copying, ids) = copied(EACH_SECOND);
    copying.setting.more = copying.setting.more.replace(
        "[copies.offsite]",
        "[copies.offsite]\nverify_bytes_per_run = \"1MiB\"",
    );
    // Same length, same ETag, other bytes.
    copying.bucket.corrupt(&Copying::key(ids[3]));
    let mut daemon = copying.daemon();
    let found = "SELECT count(*) FROM events WHERE text LIKE '%is not what was copied'";
    copying.setting.wait(|setting| setting.sql(found) == "1");
    // It is copied again, though it has the right marks.
    let read = "SELECT count(*) FROM copies WHERE read_at IS NOT NULL AND state = 'copied'";
    copying.setting.wait(|setting| setting.sql(read) == "7");
    daemon.stop();
    let file = std::fs::read(copying.setting.target(ids[3])).expect("a file");
    assert!(copying.bucket.objects()[&Copying::key(ids[3])].body == file);
}
