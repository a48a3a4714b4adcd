//! The twelve faults of a store, and what comes of each.

use chrono::TimeDelta;

use super::{Copying, KIB, THREE_PARTS};
use crate::harness::bucket::{Fault, Request};

/// Copies a recording of three parts while the bucket has these faults.
fn in_spite_of(faults: &[(&str, usize, Fault)]) -> (Copying, uuid::Uuid) {
    let copying = Copying::new();
    for (step, times, fault) in faults {
        copying.bucket.inject(step, *times, fault.clone());
    }
    let id = copying.add(THREE_PARTS);
    let mut daemon = copying.daemon();
    copying.wait_until_copied(id);
    daemon.stop();
    copying.is_sound(id);
    (copying, id)
}

#[test]
fn errors_of_the_store_are_waited_out_at_every_step() {
    let error = |status, code| Fault::Error(status, code, Vec::new());
    let (copying, _) = in_spite_of(&[
        ("head", 1, error(500, "InternalError")),
        ("begin", 1, error(503, "ServiceUnavailable")),
        ("part 2", 1, error(502, "BadGateway")),
        ("complete", 1, error(500, "InternalError")),
    ]);
    assert_eq!(
        copying.bucket.count("part"),
        4,
        "parts that arrived are not sent again"
    );
}

#[test]
fn a_connection_reset_in_a_part_costs_that_part_alone() {
    let (copying, _) = in_spite_of(&[("part 2", 2, Fault::Reset(10_000))]);
    assert_eq!(
        (
            copying.bucket.count("part 1"),
            copying.bucket.count("part 2")
        ),
        (1, 3)
    );
}

#[test]
fn an_error_inside_of_a_success_is_an_error() {
    let (copying, id) = in_spite_of(&[("complete", 1, Fault::ErrorInside("InternalError"))]);
    assert_eq!(copying.bucket.count("complete"), 2);
    assert_eq!(copying.copy("error IS NULL", id), "1");
}

#[test]
fn a_store_that_asks_for_patience_is_left_alone_for_as_long_as_it_says() {
    let copying = Copying::new();
    let later = vec![("retry-after", "2".to_owned())];
    copying
        .bucket
        .inject("put", 1, Fault::Error(503, "SlowDown", later));
    let id = copying.add(5 * KIB);
    let mut daemon = copying.daemon();
    copying.setting.wait(|_| copying.bucket.count("put") == 1);
    copying
        .setting
        .wait(|setting| setting.sql("SELECT count(*) FROM cooldown") == "1");
    let sent = copying.bucket.journal().len();
    let until = copying.setting.sql("SELECT until FROM cooldown");
    copying.wait_until_copied(id);
    let copied = copying.copy("copied_at", id);
    assert!(copied >= until, "copied at {copied}, before {until}");
    copying
        .setting
        .wait(|setting| setting.sql("SELECT sidecars_pending FROM copy_targets") == "0");
    // The look at the key, the object, the look at it; the look at the sidecar's key, the sidecar, and how the store
    // answers to a second one.
    assert_eq!(copying.bucket.journal().len(), sent + 6);
    daemon.stop();
    copying.is_sound(id);
}

#[test]
fn a_lost_answer_to_the_completion_is_resolved_by_a_look() {
    let (copying, _) = in_spite_of(&[("complete", 1, Fault::LostAnswer)]);
    assert_eq!(
        (
            copying.bucket.count("complete"),
            copying.bucket.count("part")
        ),
        (1, 3)
    );
}

#[test]
fn lost_answers_to_any_other_step_leave_nothing_behind() {
    let (copying, _) = in_spite_of(&[
        ("begin", 2, Fault::LostAnswer),
        ("part 1", 1, Fault::LostAnswer),
        ("head", 1, Fault::LostAnswer),
    ]);
    assert_eq!(copying.bucket.count("begin"), 3);
    assert_eq!(copying.bucket.count("abort"), 2, "both that nobody knew");
    let copying = Copying::new();
    copying.bucket.inject("put", 1, Fault::LostAnswer);
    let id = copying.add(5 * KIB);
    let mut daemon = copying.daemon();
    copying.wait_until_copied(id);
    daemon.stop();
    copying.is_sound(id);
    assert_eq!(copying.bucket.count("put"), 1);
}

#[test]
fn bytes_that_arrive_altered_are_sent_again() {
    let (copying, _) = in_spite_of(&[("part 3", 1, Fault::Altered)]);
    assert_eq!(copying.bucket.count("part 3"), 2);
}

#[test]
fn a_vanished_upload_is_begun_anew() {
    let (copying, _) = in_spite_of(&[("part 3", 1, Fault::ForgetUpload)]);
    assert_eq!(
        (
            copying.bucket.count("begin"),
            copying.bucket.count("part 1")
        ),
        (2, 2)
    );
    let (copying, _) = in_spite_of(&[("complete", 1, Fault::ForgetUpload)]);
    assert_eq!(copying.bucket.count("begin"), 2);
}

#[test]
fn a_full_bucket_an_expired_key_and_a_wrong_clock_say_what_to_do_and_pass() {
    for (status, code, words) in [
        (507, "QuotaExceeded", "the object store has no room left"),
        (400, "ExpiredToken", "refused the access key"),
        (
            403,
            "RequestTimeTooSkewed",
            "check the time synchronisation",
        ),
        (404, "NoSuchBucket", "the bucket does not exist"),
    ] {
        let copying = Copying::new();
        copying
            .bucket
            .inject("put", 1000, Fault::Error(status, code, Vec::new()));
        let ids = [5, 6, 7, 8].map(|size| copying.add(size * KIB));
        let mut daemon = copying.daemon();
        copying.setting.wait(|setting| {
            let exists = setting.database().exists();
            exists
                && setting
                    .sql("SELECT error FROM copy_targets")
                    .contains(words)
        });
        let refused = copying.bucket.count("put");
        copying.bucket.clear_faults();
        for id in ids {
            copying.wait_until_copied(id);
            copying.is_sound(id);
        }
        let failing = "SELECT failing_since IS NULL, error IS NULL FROM copy_targets";
        copying
            .setting
            .wait(|setting| setting.sql(failing) == "1|1");
        daemon.stop();
        assert!(refused <= 8, "{code}: {refused}");
    }
}

#[test]
fn another_object_under_the_key_is_never_overwritten_but_reported() {
    let copying = Copying::new();
    let (small, large) = (copying.add(5 * KIB), copying.add(THREE_PARTS));
    for id in [small, large] {
        copying.bucket.place(&Copying::key(id), b"somebody else's");
    }
    let other = copying.add(6 * KIB);
    let mut daemon = copying.daemon();
    copying.wait_until_copied(other);
    for id in [small, large] {
        copying.setting.wait(|_| copying.copy_is(id, "differs"));
        assert_eq!(
            copying.bucket.objects()[&Copying::key(id)].body,
            b"somebody else's"
        );
        assert!(copying.copy("error", id).contains("it is not overwritten"));
    }
    daemon.stop();
    let events = "SELECT count(*) FROM events WHERE kind = 'copy'";
    assert_eq!(copying.setting.sql(events), "2");
    // Somebody moves it away.
    copying.bucket.remove(&Copying::key(small));
    copying
        .setting
        .write_sql("UPDATE copy SET next_attempt_at = NULL");
    let mut daemon = copying.daemon();
    copying.wait_until_copied(small);
    daemon.stop();
    copying.is_sound(small);
}

#[test]
fn an_object_that_appears_during_the_upload_is_not_overwritten() {
    let copying = Copying::new();
    copying.bucket.hold(true);
    let id = copying.add(THREE_PARTS);
    let mut daemon = copying.daemon();
    // Held requests get no answer: the part is sent again, and completed only after a look.
    while let Some(step) = copying.bucket.held(|| copying.copy_is(id, "differs")) {
        if step == "part 3" {
            copying.bucket.place(&Copying::key(id), b"somebody else's");
        }
        copying.bucket.release();
    }
    assert_eq!(
        copying.bucket.objects()[&Copying::key(id)].body,
        b"somebody else's"
    );
    copying
        .setting
        .wait(|_| copying.bucket.uploads().is_empty());
    assert_eq!(copying.bucket.count("complete"), 0);
    daemon.stop();
}

#[test]
fn the_same_content_that_another_program_copied_is_taken_over() {
    let copying = Copying::new();
    let id = copying.add(THREE_PARTS);
    let content = crate::harness::content(&crate::harness::media(THREE_PARTS));
    copying.bucket.place(&Copying::key(id), &content);
    let mut daemon = copying.daemon();
    copying.wait_until_copied(id);
    daemon.stop();
    let journal = copying.bucket.journal();
    let read = |request: &&Request| request.step() == "get" && request.key == Copying::key(id);
    assert_eq!(journal.iter().filter(read).count(), 1);
    assert_eq!(copying.bucket.count("begin"), 0);
}

#[test]
fn strays_below_the_prefix_are_aborted_once_they_are_a_day_old() {
    let copying = Copying::new();
    let id = copying.add(5 * KIB);
    copying.setting.once(0);
    let now = copying.setting.sql("SELECT max(ended_at) FROM passes");
    let now = chrono::DateTime::parse_from_rfc3339(&now)
        .expect("a time")
        .to_utc();
    let bucket = &copying.bucket;
    bucket.stray(&Copying::key(id), TimeDelta::hours(30), now);
    bucket.stray(&Copying::key(id), TimeDelta::hours(1), now);
    bucket.stray("pre fix/of another program", TimeDelta::days(9), now);
    bucket.stray(
        &format!("not {}", Copying::key(id)),
        TimeDelta::days(9),
        now,
    );
    let mut daemon = copying.daemon();
    copying.setting.wait(|setting| {
        setting.sql("SELECT count(*) FROM copy_target WHERE strays_at IS NOT NULL") == "1"
    });
    daemon.stop();
    assert_eq!(bucket.uploads().len(), 3);
    let events = copying
        .setting
        .sql("SELECT text FROM events WHERE kind = 'copy'");
    assert!(
        events.contains("of another program") && events.contains("left alone"),
        "{events}"
    );
}
