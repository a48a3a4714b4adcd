//! Files leave the disk only while a verified copy holds them.

use super::{Offsite, text};
use crate::harness::disk::once_failing;
use crate::harness::{Capability, get, has, listening};

const KEEP: &str = "keep_local = \"2d\"\n";

#[test]
fn a_file_leaves_the_disk_only_after_its_copy_was_verified_twice_a_day_apart() {
    let mut offsite = Offsite::new(2, KEEP);
    offsite.setting.once(0);
    assert!(offsite.is_here(0) && offsite.is_here(1), "it is too young");
    offsite.days_pass();
    offsite.setting.once(0);
    assert!(offsite.is_here(0) && offsite.is_here(1), "verified once");
    offsite.verify();
    offsite.setting.once(0);
    assert_eq!(offsite.setting.files().len(), 0);
    let setting = &offsite.setting;
    let rows = setting.sql("SELECT DISTINCT path IS NULL, copies FROM archive");
    assert_eq!(rows, "1|1");
    let shown = text(&setting.run(&["show", &offsite.ids[0].to_string()]));
    let url = format!("s3://bucket/{}", offsite.key(0));
    assert!(
        shown.contains("not on this disk") && shown.contains(&url),
        "{shown}"
    );
    let shown = setting.run(&["show", "--json", &offsite.ids[0].to_string()]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    assert!(shown["recording"]["file"].is_null() && shown["recording"]["evicted_at"].is_string());
    let events = offsite.events("evicted");
    assert!(
        events.contains(&url) && events.lines().count() == 2,
        "{events}"
    );
}

#[test]
fn a_copy_that_is_another_object_just_before_keeps_its_file() {
    let offsite = Offsite::new(2, KEEP);
    offsite.days_pass();
    // As if they were verified an hour ago.
    offsite.setting.write_sql(
        "UPDATE copy SET verified_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 hour')",
    );
    let mut other = offsite.stored(&offsite.key(1)).body;
    other[5] ^= 1;
    offsite.bucket.place(&offsite.key(1), &other);
    offsite.setting.once(0);
    assert!(!offsite.is_here(0));
    assert!(offsite.is_here(1), "its copy is another object");
}

#[test]
fn a_file_that_is_not_as_it_was_archived_is_never_removed_but_repaired() {
    for how in ["altered", "link"] {
        let mut offsite = Offsite::new(1, KEEP);
        offsite.days_pass();
        let file = offsite.setting.target(offsite.ids[0]);
        let kept = offsite.setting.directory.path().join("elsewhere");
        let mut bytes = std::fs::read(&file).expect("a file");
        bytes[9] ^= 1;
        if how == "link" {
            std::fs::write(&kept, &bytes).expect("a file");
            std::fs::remove_file(&file).expect("a file");
            std::os::unix::fs::symlink(&kept, &file).expect("a link");
        } else {
            // Even the time of the file says nothing.
            let stat = file.metadata().expect("a file");
            std::fs::write(&file, &bytes).expect("a file");
            let open = std::fs::File::options().write(true).open(&file);
            let modified = stat.modified().expect("a time");
            open.expect("a file")
                .set_modified(modified)
                .expect("a time");
        }
        offsite.verify();
        offsite.setting.run(&["once"]);
        let damage = offsite.setting.sql("SELECT damage FROM recordings");
        assert_eq!(damage, "altered", "{how}");
        assert_eq!(offsite.events("evicted"), "");
        offsite.setting.once(0);
        assert_eq!(offsite.setting.quarantined().len(), 1, "{how}");
        if how == "link" {
            assert!(std::fs::read(&kept).expect("a file") == bytes);
        }
        assert_eq!(offsite.setting.count("queue"), "0");
        assert_eq!(offsite.setting.media_requests().len(), 1);
    }
}

#[test]
fn every_target_must_have_its_copy() {
    let mut offsite = Offsite::new(1, KEEP);
    let other = crate::harness::bucket::Bucket::start();
    other.refuse(true);
    let keys = offsite.setting.directory.path().join("keys");
    let file = format!("credentials_file = \"{}\"\n", keys.display());
    offsite.setting.more += &[other.section("second"), file].concat();
    offsite.days_pass();
    offsite.verify();
    offsite.setting.once(0);
    assert!(offsite.is_here(0), "the second target does not have it");
    other.refuse(false);
    offsite.setting.once(0);
    offsite.setting.once(0);
    assert!(!offsite.is_here(0));
    assert_eq!(offsite.setting.sql("SELECT copies FROM archive"), "2");
}

#[test]
fn an_evicted_file_is_neither_missing_nor_downloaded_again_and_counts_as_archived() {
    let mut offsite = Offsite::evicted(2);
    let setting = &offsite.setting;
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(0));
    let one = setting.run(&["verify", &offsite.ids[0].to_string()]);
    assert_eq!(one.status.code(), Some(1));
    assert!(text(&one).contains("in object stores only"), "{one:?}");
    let list = setting.run(&["list", "--format", "json"]);
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).expect("JSON");
    assert!(
        list[0]["state"] == "archived" && list[0]["path"].is_null(),
        "{list}"
    );
    setting.write_sql("DELETE FROM meta WHERE name = 'clean_stop'");
    setting.once(0);
    assert_eq!(setting.count("queue"), "0");
    assert_eq!(setting.count("archive"), "2");
    assert_eq!(setting.media_requests().len(), 2);
    let status = setting.run(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(status["recordings"]["archived"], 2, "{status}");
    let port = listening(&mut offsite.setting);
    let mut daemon = offsite.setting.daemon();
    daemon.line("started");
    let archived = "room_archiver_recordings{state=\"archived\"} 2";
    offsite
        .setting
        .wait(|_| get(port, "/metrics").contains(archived));
    assert!(get(port, "/healthz").starts_with("HTTP/1.1 200"));
    daemon.stop();
    assert_eq!(offsite.setting.media_requests().len(), 2);
}

#[test]
fn an_eviction_that_a_crash_cut_off_loses_nothing() {
    let offsite = Offsite::evicted(3);
    let setting = &offsite.setting;
    // As if the process had ended between the transaction and the removal: the file is there, it is altered, or it is
    // gone.
    let bytes = offsite.stored(&offsite.key(0)).body;
    std::fs::create_dir_all(setting.recordings.join("lesson")).expect("a directory");
    std::fs::write(setting.target(offsite.ids[0]), &bytes).expect("a file");
    std::fs::write(setting.target(offsite.ids[1]), b"precious").expect("a file");
    setting.write_sql(
        "UPDATE eviction SET removed = 0; UPDATE copy SET state = 'pending', sha256 = NULL",
    );
    offsite.bucket.refuse(true);
    setting.run(&["once"]);
    assert!(offsite.is_here(0));
    let here = setting.sql("SELECT recording_id FROM archive WHERE path IS NOT NULL");
    assert_eq!(here, offsite.ids[0].to_string());
    let other = std::fs::read(setting.target(offsite.ids[1])).expect("a file");
    assert_eq!(other, b"precious");
    assert!(offsite.events("evicted").contains("left alone"));
    let open = setting.sql("SELECT count(*) FROM eviction WHERE removed = 0");
    assert_eq!(open, "0");
}

#[test]
fn a_kill_just_before_the_removal_loses_nothing() {
    if !has(Capability::Strace) {
        return;
    }
    let mut offsite = Offsite::new(1, KEEP);
    offsite.days_pass();
    offsite.verify();
    let setting = &offsite.setting;
    let directory = setting.recordings.join("lesson");
    let (output, log) = once_failing(setting, &["unlinkat:signal=KILL:when=1"], &[&directory]);
    assert_eq!(output.status.code(), None, "{output:?}\n{log}");
    assert_eq!(setting.count("archive"), "1");
    let open = "SELECT count(*) FROM eviction WHERE removed = 0";
    assert_eq!(setting.sql(open), "1");
    assert!(offsite.is_here(0), "{log}");
    setting.once(0);
    assert!(!offsite.is_here(0));
    let rows = setting.sql("SELECT path IS NULL, copies FROM archive");
    assert_eq!(rows, "1|1");
    assert_eq!(setting.sql(open), "0");
    assert_eq!(setting.media_requests().len(), 1);
}
