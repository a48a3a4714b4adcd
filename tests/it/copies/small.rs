//! Many small files: a request each where the store refuses a second object under a key, and one list for all.

use uuid::Uuid;

use super::{Copying, KIB};
use crate::harness::bucket::{Fault, KEY, SECRET, is_sidecar};
use crate::harness::{BY_ID, EVERY_SECOND};

const MANY: usize = 80;

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

/// So many are copied, with their sidecars.
fn all(copied: usize) -> String {
    format!("{copied}|0|0")
}

/// Copies them with a service, until so many are copied.
fn copy(copying: &Copying, copied: usize) {
    let mut daemon = copying.daemon();
    let all = all(copied);
    copying.setting.wait(|setting| setting.sql(STATE) == all);
    daemon.stop();
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
    assert!(heads < MANY, "{heads} looks");
    let etags = "SELECT count(*) FROM copy WHERE etag IS NOT NULL AND verified_at = copied_at";
    assert_eq!(copying.setting.sql(etags), MANY.to_string());
}

#[test]
fn a_store_that_ignores_conditions_is_looked_at_and_no_object_is_overwritten() {
    let (copying, ids) = archived(MANY);
    copying.bucket.ignore_conditions();
    copy_around(&copying, ids[MANY - 1]);
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
    copy_around(&copying, ids[30]);
    let error = copying.copy("error", ids[30]);
    assert!(error.contains("it is not overwritten"), "{error}");
    let objects = copying.bucket.objects();
    for id in ids.iter().filter(|id| **id != ids[30]) {
        assert!(objects[&Copying::key(*id)].body == content);
    }
}

/// Copies all but one, whose key has another object.
fn copy_around(copying: &Copying, id: Uuid) {
    let key = Copying::key(id);
    copying.bucket.place(&key, b"somebody else's");
    let mut daemon = copying.daemon();
    let all = format!("{}|1|0", MANY - 1);
    copying.setting.wait(|setting| setting.sql(STATE) == all);
    copying.setting.wait(|_| copying.copy_is(id, "differs"));
    daemon.stop();
    assert_eq!(copying.bucket.objects()[&key].body, b"somebody else's");
}

#[test]
fn what_a_list_does_not_show_or_shows_otherwise_is_looked_at_before_it_counts() {
    let other_sizes = |ids: &[Uuid]| {
        let one = |id: &Uuid| {
            let key = Copying::key(*id);
            format!(
                "<Contents><Key>{key}</Key><Size>1</Size><ETag>\"1\"</ETag><LastModified>2026-11-26T10:00:00.000Z</LastModified></Contents>"
            )
        };
        let all: String = ids.iter().map(one).collect();
        let list =
            format!("<ListBucketResult><IsTruncated>false</IsTruncated>{all}</ListBucketResult>");
        let length = list.len();
        Fault::Raw(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{list}"
        ))
    };
    let refused = Fault::Error(403, "AccessDenied", Vec::new());
    for number in 0..3 {
        let (copying, ids) = archived(MANY);
        let fault = match number {
            0 => Fault::EmptyList,
            1 => refused.clone(),
            _ => other_sizes(&ids),
        };
        copying.bucket.inject("list", 1000, fault);
        copy(&copying, MANY);
        let heads = count(&copying, "head");
        assert!(heads >= MANY, "{heads} looks");
        for id in &ids {
            copying.is_sound(*id);
        }
    }
}

#[test]
fn a_list_that_fails_or_asks_for_patience_costs_no_copy_its_turn() {
    let later = vec![("retry-after", "1".to_owned())];
    for fault in [
        Fault::Error(500, "InternalError", Vec::new()),
        Fault::Error(503, "SlowDown", later),
    ] {
        let (copying, ids) = archived(MANY);
        copying.bucket.inject("list", 1, fault);
        copy(&copying, MANY);
        for id in &ids {
            copying.is_sound(*id);
        }
        let puts = count(&copying, "put");
        assert!(puts <= MANY + 1, "{puts} uploads");
        // Not each is looked at instead.
        let heads = count(&copying, "head");
        assert!(heads < MANY, "{heads} looks");
    }
}

#[test]
fn an_upload_that_was_answered_and_is_not_there_never_counts() {
    let (copying, _) = archived(MANY);
    let mut daemon = copying.daemon();
    copying
        .setting
        .wait(|setting| setting.sql(STATE) == all(MANY));
    // From now on everything is taken and forgotten.
    let taken = "HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: 0\r\n\r\n";
    copying
        .bucket
        .inject("put", 1000, Fault::Raw(taken.to_owned()));
    let more: Vec<Uuid> = (0..MANY).map(|_| copying.add(2 * KIB)).collect();
    // Soon nothing more is sent to a store that loses everything.
    let lost = "SELECT count(*) > 0 FROM copies WHERE error LIKE '%not there after its upload%'";
    copying.setting.wait(|setting| setting.sql(lost) == "1");
    let copied = "SELECT copied FROM copy_targets";
    assert_eq!(copying.setting.sql(copied), MANY.to_string());
    copying.bucket.clear_faults();
    daemon.stop();
    copying
        .setting
        .write_sql("UPDATE copy SET next_attempt_at = NULL");
    copy(&copying, 2 * MANY);
    for id in &more {
        copying.is_sound(*id);
    }
}

#[test]
fn a_sidecar_that_cannot_be_written_holds_up_no_other() {
    let (mut copying, ids) = archived(MANY);
    let blocked = format!("{}.json", Copying::key(ids[7]));
    copying.bucket.place(&blocked, b"somebody else's");
    copying.bucket.ignore_conditions();
    let keys = copying.setting.directory.path().join("keys");
    let text = format!("aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n");
    std::fs::write(&keys, text).expect("a file");
    let file = keys.display();
    let credentials = format!("credentials_file = \"{file}\"\n");
    copying.setting.more += &credentials;
    copying.setting.once(0);
    assert_eq!(copying.setting.sql(STATE), "80|0|1");
    assert_eq!(copying.bucket.objects()[&blocked].body, b"somebody else's");
    let objects = copying.bucket.objects();
    assert_eq!(objects.keys().filter(|key| is_sidecar(key)).count(), 80);
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
                .held(|| copying.setting.sql(STATE) == all(MANY));
            if held.is_none() {
                daemon.stop();
                break;
            }
            let copied = ids.iter().filter(|id| copying.copy_is(**id, "copied"));
            let keys: Vec<_> = copied.map(|id| Copying::key(*id)).collect();
            let objects = copying.bucket.objects();
            assert!(keys.iter().all(|key| objects.contains_key(key)));
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
