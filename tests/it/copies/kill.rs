//! The process is killed at every request of an upload of 64 parts.

use super::{Copying, KIB};

const PARTS: u64 = 64;

/// Kills the service at each step of the upload once, before the bucket does it or after, and starts it again.
fn killed_at_every_request(after: bool) {
    let copying = Copying::new();
    let id = copying.add(PARTS * 64 * KIB);
    // The file is there before anything is killed: this is about the copy.
    let sections = copying.setting.more.clone();
    let mut copying = copying;
    let (without, _) = sections.split_once("[copies").expect("a section");
    without.clone_into(&mut copying.setting.more);
    copying.setting.once(0);
    copying.setting.more = sections;

    copying.bucket.hold(after);
    let mut kills = 0;
    loop {
        let mut daemon = copying.daemon();
        let held = copying.bucket.held(|| copying.copy_is(id, "copied"));
        let Some(step) = held else {
            daemon.stop();
            break;
        };
        let there = copying.bucket.objects().contains_key(&Copying::key(id));
        assert!(there || !copying.copy_is(id, "copied"), "false at {step}");
        daemon.kill();
        copying.bucket.release();
        kills += 1;
    }
    copying.is_sound(id);
    assert!(kills >= PARTS + 3, "{kills} kills");
    for part in 1..=PARTS {
        let sent = copying.bucket.count(&format!("part {part}"));
        assert!(sent <= 2, "part {part} was sent {sent} times");
    }
    assert!(
        copying.bucket.count("begin") <= 3,
        "{}",
        copying.bucket.count("begin")
    );
    assert_eq!(copying.bucket.count("complete"), if after { 1 } else { 2 });
}

#[test]
fn killed_before_every_request_of_64_parts_it_goes_on_and_leaves_nothing_behind() {
    killed_at_every_request(false);
}

#[test]
fn killed_after_every_request_of_64_parts_it_goes_on_and_leaves_nothing_behind() {
    killed_at_every_request(true);
}

#[test]
fn a_stop_in_the_middle_is_prompt_and_the_upload_goes_on() {
    let copying = Copying::new();
    let id = copying.add(8 * 64 * KIB);
    copying.bucket.hold(false);
    let mut daemon = copying.daemon();
    while let Some(step) = copying.bucket.held(|| false) {
        if step == "part 5" {
            break;
        }
        copying.bucket.release();
    }
    daemon.stop();
    copying.bucket.release();
    let mut daemon = copying.daemon();
    loop {
        let held = copying.bucket.held(|| copying.copy_is(id, "copied"));
        if held.is_none() {
            break;
        }
        copying.bucket.release();
    }
    daemon.stop();
    copying.is_sound(id);
    assert_eq!(copying.bucket.count("begin"), 2, "the first was held");
}
