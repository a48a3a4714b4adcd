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
    daemon.stop();
    copying.setting.more = sections;
    (copying, ids)
}

const VERIFIED: &str = "SELECT count(*) FROM copy_targets WHERE verified_at IS NOT NULL";

#[test]
fn a_list_verifies_all_copies_without_reading_them() {
    let (copying, _) = copied(EACH_SECOND);
    let heads = copying.bucket.count("head");
    let mut daemon = copying.daemon();
    copying.setting.wait(|setting| setting.sql(VERIFIED) == "1");
    daemon.stop();
    // Pages of three.
    assert!(copying.bucket.count("list") >= 3);
    assert_eq!(
        (copying.bucket.count("head"), copying.bucket.count("get")),
        (heads, 0)
    );
    let later = "SELECT count(*) FROM copies WHERE verified_at > copied_at";
    assert_eq!(copying.setting.sql(later), "7");
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
fn a_missing_copy_is_copied_again_and_an_altered_one_is_reported() {
    let (copying, ids) = copied(EACH_SECOND);
    copying.bucket.remove(&Copying::key(ids[1]));
    copying.bucket.place(&Copying::key(ids[2]), b"altered");
    let mut daemon = copying.daemon();
    copying.setting.wait(|_| copying.copy_is(ids[2], "differs"));
    copying.setting.wait(|_| {
        copying.bucket.objects().contains_key(&Copying::key(ids[1]))
            && copying.copy_is(ids[1], "copied")
    });
    daemon.stop();
    assert_eq!(
        copying.bucket.objects()[&Copying::key(ids[2])].body,
        b"altered"
    );
    let events = copying
        .setting
        .sql("SELECT text FROM events WHERE kind = 'copy' ORDER BY id");
    assert!(
        events.contains("is no longer there") && events.contains("is not what was copied"),
        "{events}"
    );
    let copies = copying.setting.sql("SELECT sum(copies) FROM archive");
    assert_eq!(copies, "6", "one that differs does not count");
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
    copying.setting.wait(|_| copying.copy_is(ids[3], "differs"));
    let read = "SELECT count(*) FROM copies WHERE read_at IS NOT NULL";
    copying.setting.wait(|setting| setting.sql(read) == "6");
    daemon.stop();
}
