//! What copies are good for: sidecars in the bucket, files that leave the disk and come back, repair, a database from a
//! bucket alone.

mod doctor;
mod evict;
mod fetch;
mod real;
mod rebuild;
mod sidecars;

use std::process::Output;

use uuid::Uuid;

use super::harness::bucket::{Bucket, KEY, SECRET, Stored};
use super::harness::{BY_ID, MIB, Setting, media, sha256};

/// Copies are verified by each run.
const VERIFY: &str = "[verify]\nschedule = \"* * * * * *\"\n";

/// An archive with an object store. Everything is done by single runs.
struct Offsite {
    setting: Setting,
    bucket: Bucket,
    ids: Vec<Uuid>,
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Offsite {
    /// Recordings that were archived and copied.
    fn new(recordings: usize, more: &str) -> Self {
        let bucket = Bucket::start();
        let section = bucket.section("offsite") + more;
        Self::at(bucket, &section, (KEY, SECRET), recordings)
    }

    /// The same with another section, which may name another server.
    fn at(bucket: Bucket, section: &str, (key, secret): (&str, &str), recordings: usize) -> Self {
        let mut setting = Setting::with(BY_ID);
        let ids = (0..recordings).map(|_| setting.add_media(&media(MIB)));
        let ids: Vec<Uuid> = ids.collect();
        let keys = setting.directory.path().join("keys");
        let text = format!("aws_access_key_id = {key}\naws_secret_access_key = {secret}\n");
        std::fs::write(&keys, text).expect("a file");
        let file = keys.display();
        setting.more = format!("{BY_ID}{section}credentials_file = \"{file}\"\n");
        setting.once(0);
        let copied = setting.sql("SELECT count(*) FROM copies WHERE state = 'copied'");
        assert_eq!(copied, recordings.to_string());
        Self {
            setting,
            bucket,
            ids,
        }
    }

    /// The key of a recording.
    fn key(&self, recording: usize) -> String {
        format!("pre fix/lesson/{}.mp4", self.ids[recording])
    }

    /// The key of its sidecar.
    fn sidecar(&self, recording: usize) -> String {
        format!("{}.json", self.key(recording))
    }

    fn stored(&self, key: &str) -> Stored {
        self.bucket.objects()[key].clone()
    }

    /// As if three days had passed since the copies were made and verified.
    fn days_pass(&self) {
        self.setting.write_sql(
            "UPDATE copy SET copied_at = strftime('%Y-%m-%dT%H:%M:%fZ', copied_at, '-3 days'),
             verified_at = strftime('%Y-%m-%dT%H:%M:%fZ', verified_at, '-3 days')",
        );
    }

    /// From now on each run verifies the copies before it evicts files.
    fn verify(&mut self) {
        self.setting.more += VERIFY;
        // The schedule's next slot.
        self.setting.write_sql(
            "UPDATE copy_target SET added_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-4 days'), verified_at = NULL",
        );
    }

    /// Recordings whose files are in the bucket alone.
    fn evicted(recordings: usize) -> Self {
        let mut offsite = Self::new(recordings, "keep_local = \"1d\"\n");
        offsite.days_pass();
        offsite.verify();
        offsite.setting.once(0);
        assert_eq!(offsite.setting.files().len(), 0);
        offsite
    }

    fn is_here(&self, recording: usize) -> bool {
        let file = std::fs::read(self.setting.target(self.ids[recording]));
        file.is_ok_and(|bytes| sha256(&bytes) == media(MIB).sha256())
    }

    /// Everything on this machine but the configuration and the access key is gone.
    fn lose_the_machine(&self) {
        std::fs::remove_dir_all(&self.setting.recordings).expect("an archive");
        for end in ["", "-wal", "-shm"] {
            let mut path = self.setting.database().into_os_string();
            path.push(end);
            _ = std::fs::remove_file(path);
        }
    }

    fn events(&self, kind: &str) -> String {
        self.setting
            .sql(&format!("SELECT text FROM events WHERE kind = '{kind}'"))
    }
}
