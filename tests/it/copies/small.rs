//! Many small files: a request each where the store refuses a second object under a key, and one list for all.

use uuid::Uuid;

use super::{Copying, KIB};
use crate::harness::bucket::{Fault, is_sidecar};
use crate::harness::{BY_ID, EVERY_SECOND};

const MANY: usize = 40;

/// So many small recordings that were archived before there was a target.
fn archived(many: usize) -> (Copying, Vec<Uuid>) {
    let mut copying = Copying::new();
    let sections = std::mem::replace(&mut copying.setting.more, format!("{BY_ID}{EVERY_SECOND}"));
    let ids = (0..many).map(|_| copying.add(KIB)).collect();
    copying.setting.once(0);
    copying.setting.more = sections;
    (copying, ids)
}

const STATE: &str = "SELECT copied, pending, sidecars_pending FROM copy_targets";

/// Copies them with a service, until so many are copied.
fn copy(copying: &Copying, copied: usize) {
    let mut daemon = copying.daemon();
    let all = format!("{copied}|0|0");
    copying.setting.wait(|setting| setting.sql(STATE) == all);
    daemon.stop();
}

fn copied(copying: &Copying) -> usize {
    let copied = copying.setting.sql("SELECT copied FROM copy_targets");
    copied.parse().expect("a number")
}

fn count(copying: &Copying, step: &str) -> usize {
    copying.bucket.count(step)
}

#[test]
fn many_small_files_take_one_request_each_and_a_list_confirms_them_together() {
    let (copying, ids) = archived(MANY);
    copy(&copying, MANY);
    for id in &ids {
        copying.is_sound(*id);
    }
    // The first is looked for, before and after; with it the store shows that it refuses a second object.
    assert_eq!(
        (count(&copying, "put"), count(&copying, "sidecar")),
        (MANY + 1, MANY)
    );
    let heads = count(&copying, "head");
    assert!(heads < 15, "{heads} looks");
    let etags = "SELECT count(*) FROM copy WHERE etag IS NOT NULL AND verified_at = copied_at";
    assert_eq!(copying.setting.sql(etags), MANY.to_string());
}

#[test]
fn a_store_that_ignores_conditions_is_looked_at_and_no_object_is_overwritten() {
    let (copying, ids) = archived(MANY);
    copying.bucket.ignore_conditions();
    let other = Copying::key(ids[MANY - 1]);
    copying.bucket.place(&other, b"somebody else's");
    let mut daemon = copying.daemon();
    copying
        .setting
        .wait(|setting| setting.sql(STATE) == "39|1|0");
    copying
        .setting
        .wait(|_| copying.copy_is(ids[MANY - 1], "differs"));
    daemon.stop();
    assert_eq!(copying.bucket.objects()[&other].body, b"somebody else's");
    assert!(count(&copying, "head") >= 2 * (MANY - 1));
    for id in &ids[..MANY - 1] {
        copying.is_sound(*id);
    }
}

#[test]
fn another_object_among_many_is_never_overwritten_but_reported() {
    let (copying, ids) = archived(MANY);
    // The same content, and other content.
    let content = crate::harness::content(&crate::harness::media(KIB));
    for id in &ids[10..20] {
        copying.bucket.place(&Copying::key(*id), &content);
    }
    let other = Copying::key(ids[30]);
    copying.bucket.place(&other, b"somebody else's");
    let mut daemon = copying.daemon();
    copying
        .setting
        .wait(|setting| setting.sql(STATE) == "39|1|0");
    copying
        .setting
        .wait(|_| copying.copy_is(ids[30], "differs"));
    daemon.stop();
    assert_eq!(copying.bucket.objects()[&other].body, b"somebody else's");
    assert!(
        copying
            .copy("error", ids[30])
            .contains("it is not overwritten")
    );
    let objects = copying.bucket.objects();
    for id in ids.iter().filter(|id| **id != ids[30]) {
        assert!(objects[&Copying::key(*id)].body == content);
    }
}

#[test]
fn what_a_list_does_not_show_or_shows_otherwise_is_looked_at_before_it_counts() {
    let (copying, ids) = archived(MANY);
    copying.bucket.inject("list", 1, Fault::EmptyList);
    copy(&copying, MANY);
    for id in &ids {
        copying.is_sound(*id);
    }
    let heads = count(&copying, "head");
    assert!(heads > 10, "{heads} looks");
    // A list that is refused.
    let (copying, ids) = archived(MANY);
    let refused = Fault::Error(403, "AccessDenied", Vec::new());
    copying.bucket.inject("list", 1000, refused);
    copy(&copying, MANY);
    assert!(count(&copying, "head") >= MANY);
    for id in &ids {
        copying.is_sound(*id);
    }
}

#[test]
fn an_upload_that_was_answered_and_is_not_there_never_counts() {
    let (copying, ids) = archived(MANY);
    let taken = "HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: 0\r\n\r\n";
    // Everything is taken and forgotten, after the first two answers.
    let mut daemon = copying.daemon();
    let some = "SELECT count(*) > 0 FROM copies WHERE state = 'copied'";
    copying.setting.wait(|setting| setting.sql(some) == "1");
    daemon.stop();
    let before = copied(&copying);
    let more: Vec<Uuid> = (0..MANY).map(|_| copying.add(2 * KIB)).collect();
    copying
        .bucket
        .inject("put", 1000, Fault::Raw(taken.to_owned()));
    let mut daemon = copying.daemon();
    let error = "SELECT count(*) > 0 FROM copies WHERE error LIKE '%not there after its upload%'";
    copying.setting.wait(|setting| setting.sql(error) == "1");
    daemon.stop();
    let after = copied(&copying);
    let there = copying.bucket.objects();
    let there = there.keys().filter(|key| !is_sidecar(key)).count();
    assert!(before <= after && after <= there, "{after} of {there}");
    copying.bucket.clear_faults();
    copying
        .setting
        .write_sql("UPDATE copy SET next_attempt_at = NULL");
    copy(&copying, 2 * MANY);
    for id in ids.iter().chain(&more) {
        copying.is_sound(*id);
    }
}

#[test]
fn killed_at_any_request_of_many_files_each_is_sent_again_at_most_once() {
    for after in [false, true] {
        let (copying, ids) = archived(MANY);
        copying.bucket.hold(after);
        let mut kills = 0;
        loop {
            let mut daemon = copying.daemon();
            let held = copying
                .bucket
                .held(|| copying.setting.sql(STATE) == "40|0|0");
            if held.is_none() {
                daemon.stop();
                break;
            }
            let objects = copying.bucket.objects();
            for id in &ids {
                assert!(
                    objects.contains_key(&Copying::key(*id)) || !copying.copy_is(*id, "copied")
                );
            }
            daemon.kill();
            copying.bucket.release();
            kills += 1;
        }
        assert!(kills >= 3, "{kills} kills");
        for id in &ids {
            copying.is_sound(*id);
        }
        let puts = count(&copying, "put");
        // Those in flight at a kill, and the second one that shows how the store answers.
        assert!(puts <= MANY + 8 * kills, "{puts} uploads, {kills} kills");
    }
}
