//! Copies in an object store, made by the real service.

mod faults;
mod kill;
pub mod real;
mod security;
mod small;
mod verification;

use fake_space::NewRecording;
use uuid::Uuid;

use super::harness::bucket::{Bucket, Fault};
use super::harness::{
    BY_ID, Child, EVERY_SECOND, KIB, Setting, get, healthy, listening, media, sha256, unhealthy,
};

/// An archive that copies to a bucket.
pub struct Copying {
    pub setting: Setting,
    pub bucket: Bucket,
}

/// 64 KiB are a part: this is one of 3.
pub const THREE_PARTS: u64 = 150 * KIB;

impl Copying {
    pub fn new() -> Self {
        Self::with("")
    }

    pub fn with(more: &str) -> Self {
        let bucket = Bucket::start();
        let section = bucket.section("offsite");
        let setting = Setting::with(&format!("{BY_ID}{EVERY_SECOND}{more}\n{section}"));
        Self { setting, bucket }
    }

    pub fn add(&self, bytes: u64) -> Uuid {
        self.setting.add(NewRecording::completed(media(bytes)))
    }

    /// A service whose database is there.
    pub fn daemon(&self) -> Child {
        let mut daemon = Child::start(&self.setting, &Bucket::keys());
        daemon.line("started");
        daemon
    }

    /// The value of a column of the view `copies`.
    pub fn copy(&self, column: &str, id: Uuid) -> String {
        self.setting.sql(&format!(
            "SELECT {column} FROM copies WHERE recording_id = '{id}'"
        ))
    }

    pub fn wait_until_copied(&self, id: Uuid) {
        self.setting.wait(|_| self.copy_is(id, "copied"));
    }

    pub fn copy_is(&self, id: Uuid, state: &str) -> bool {
        let exists = self.setting.database().exists();
        exists && self.copy("state", id) == state
    }

    pub fn key(id: Uuid) -> String {
        format!("pre fix/lesson/{id}.mp4")
    }

    /// The bucket's object of a recording is what the archive has, and nothing unfinished is left.
    #[track_caller]
    pub fn is_sound(&self, id: Uuid) {
        let objects = self.bucket.objects();
        let object = &objects[&Self::key(id)];
        let file = std::fs::read(self.setting.target(id)).expect("a file");
        assert!(object.body == file, "the object is another");
        assert_eq!(object.meta["x-amz-meta-sha256"], sha256(&file));
        assert_eq!(
            self.copy("state || ' ' || bytes", id),
            format!("copied {}", file.len())
        );
        assert!(
            self.bucket.uploads().is_empty(),
            "{:?}",
            self.bucket.uploads().keys()
        );
        assert_eq!(self.setting.sql("SELECT count(*) FROM upload"), "0");
    }
}

#[test]
fn recordings_are_copied_in_one_request_or_in_parts_and_looked_at_before_it_is_said() {
    let copying = Copying::new();
    let (small, large) = (copying.add(20 * KIB), copying.add(THREE_PARTS));
    let mut daemon = copying.daemon();
    copying.wait_until_copied(small);
    copying.wait_until_copied(large);
    copying.is_sound(small);
    copying.is_sound(large);
    assert_eq!(
        (copying.bucket.count("put"), copying.bucket.count("part")),
        (1, 3)
    );
    // Before, and after; that of the parts once more before it is completed.
    assert_eq!(copying.bucket.count("head"), 5);
    let archive = copying
        .setting
        .sql("SELECT copies, path IS NOT NULL FROM archive");
    assert_eq!(archive, "1|1\n1|1");
    let url = format!("s3://bucket/{}", Copying::key(large));
    assert_eq!(copying.copy("key", large), url);
    let sidecars = "SELECT sidecars_pending FROM copy_targets";
    copying.setting.wait(|setting| setting.sql(sidecars) == "0");
    daemon.stop();
    // What is copied is not copied again.
    let before = copying.bucket.journal().len();
    let mut daemon = copying.daemon();
    let next = copying.add(KIB);
    copying.wait_until_copied(next);
    daemon.stop();
    let after = copying.bucket.journal();
    assert!(
        after[before..]
            .iter()
            .all(|request| request.key.starts_with(&Copying::key(next)))
    );
}

#[test]
fn a_bucket_with_object_lock_gets_the_checksums_that_it_demands() {
    let copying = Copying::new();
    copying.bucket.set_locked();
    let (large, small) = (copying.add(THREE_PARTS), copying.add(20 * KIB));
    let mut daemon = copying.daemon();
    copying.wait_until_copied(large);
    copying.wait_until_copied(small);
    daemon.stop();
    copying.is_sound(large);
    copying.is_sound(small);
    // A part that is there is not sent again because the process is another.
    let next = copying.add(4 * 64 * KIB);
    let error = Fault::Error(500, "InternalError", Vec::new());
    copying.bucket.inject("part 3", 1, error);
    let mut daemon = copying.daemon();
    copying.wait_until_copied(next);
    daemon.stop();
    copying.is_sound(next);
}

#[test]
fn a_target_added_later_is_filled_and_one_that_is_removed_is_not_forgotten() {
    let mut copying = Copying::new();
    let sections = std::mem::replace(&mut copying.setting.more, format!("{BY_ID}{EVERY_SECOND}"));
    let ids = [5, 6, 7].map(|size| copying.add(size * KIB));
    copying.setting.once(0);
    assert_eq!(copying.setting.count("copies"), "0");
    copying.setting.more = sections;
    let mut daemon = copying.daemon();
    for id in ids {
        copying.wait_until_copied(id);
        copying.is_sound(id);
        assert_eq!(
            copying.copy("due_since IS NULL", id),
            "1",
            "it was not late"
        );
    }
    daemon.stop();
    copying.setting.more = format!("{BY_ID}{EVERY_SECOND}");
    let mut daemon = copying.setting.daemon();
    let targets = "SELECT target, configured, copied FROM copy_targets";
    copying
        .setting
        .wait(|setting| setting.sql(targets) == "offsite|0|3");
    daemon.line("no longer in the configuration");
    daemon.stop();
    assert_eq!(copying.setting.sql("SELECT sum(copies) FROM archive"), "3");
    let status = copying.setting.run(&["status"]);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(
        status.contains("offsite") && status.contains("not configured"),
        "{status}"
    );
}

#[test]
fn a_target_that_names_another_place_is_refused_and_its_copies_are_kept() {
    let mut copying = Copying::new();
    let id = copying.add(5 * KIB);
    let mut daemon = copying.daemon();
    copying.wait_until_copied(id);
    daemon.stop();
    copying.setting.more = copying.setting.more.replace("pre fix", "elsewhere");
    let mut daemon = copying.daemon();
    let error = "SELECT error FROM copy_targets";
    copying
        .setting
        .wait(|setting| setting.sql(error).contains("names another place"));
    daemon.stop();
    assert_eq!(
        copying.setting.sql("SELECT url FROM copy_targets"),
        "s3://bucket/pre fix"
    );
}

#[test]
fn a_damaged_local_file_is_not_copied_but_downloaded_again() {
    let mut copying = Copying::new();
    let sections = std::mem::replace(&mut copying.setting.more, format!("{BY_ID}{EVERY_SECOND}"));
    let id = copying.add(THREE_PARTS);
    copying.setting.once(0);
    let file = copying.setting.target(id);
    let mut bytes = std::fs::read(&file).expect("a file");
    bytes[100_000] ^= 1;
    let mode = std::fs::metadata(&file).expect("a file").permissions();
    std::fs::remove_file(&file).expect("a file");
    std::fs::write(&file, &bytes).expect("a file");
    std::fs::set_permissions(&file, mode).expect("a file");
    copying.setting.more = sections;
    let mut daemon = copying.daemon();
    daemon.line("the local file is altered");
    copying.wait_until_copied(id);
    daemon.stop();
    copying.is_sound(id);
    let events =
        "SELECT count(*) FROM events WHERE kind = 'copy' AND text = 'the local file is altered'";
    assert_eq!(copying.setting.sql(events), "1");
}

#[test]
fn without_a_target_nothing_runs() {
    let setting = Setting::with(EVERY_SECOND);
    setting.space.archivable("lesson");
    let mut daemon = setting.daemon();
    daemon.line("started");
    setting.wait(|setting| setting.count("archive") == "1");
    daemon.stop();
    assert_eq!(setting.count("copy_targets"), "0");
    assert!(!daemon.told.iter().any(|line| line.contains("copies")));
}

#[test]
fn metrics_and_health_have_the_copies() {
    let mut copying = Copying::new();
    let port = listening(&mut copying.setting);
    copying
        .bucket
        .inject("put", 1000, Fault::Error(403, "AccessDenied", Vec::new()));
    let id = copying.add(5 * KIB);
    let mut daemon = copying.daemon();
    copying.setting.wait(|setting| {
        let exists = setting.database().exists();
        exists
            && setting
                .sql("SELECT error FROM copy_targets")
                .contains("refused the access key")
    });
    unhealthy(&copying.setting, port, "copies: 'offsite' has failed for");
    copying.bucket.clear_faults();
    copying.wait_until_copied(id);
    healthy(&copying.setting, port);
    let copied = "room_archiver_copies{target=\"offsite\",state=\"copied\"} 1";
    copying
        .setting
        .wait(|_| get(port, "/metrics").contains(copied));
    daemon.stop();
}

#[test]
fn show_has_the_copies_of_a_recording() {
    let copying = Copying::new();
    let id = copying.add(5 * KIB);
    let mut daemon = copying.daemon();
    copying.wait_until_copied(id);
    daemon.stop();
    let show = |more: &[&str]| {
        let id = id.to_string();
        let shown = copying.setting.run(&[&["show", &id], more].concat());
        String::from_utf8(shown.stdout).expect("text")
    };
    let url = format!("s3://bucket/{}", Copying::key(id));
    let text = show(&[]);
    let (_, copies) = text.split_once("\nCopies\n").expect("a section");
    assert!(
        copies.contains("offsite") && copies.contains("copied") && copies.contains(&url),
        "{text}"
    );
    let json: serde_json::Value = serde_json::from_str(&show(&["--json"])).expect("JSON");
    let copy = &json["copies"][0];
    assert_eq!(
        (&copy["target"], &copy["state"], &copy["key"]),
        (&"offsite".into(), &"copied".into(), &url.into())
    );
    assert!(
        copy["copied_at"].is_string() && copy["error"].is_null(),
        "{copy}"
    );
}
