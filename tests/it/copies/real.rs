//! Copies to a real server by other authors, which `tests/s3/run` starts.

use super::{Copying, KIB, THREE_PARTS};
use crate::harness::{BY_ID, Capability, Child, EVERY_SECOND, Setting, skip};

/// The server that `tests/s3/run` started.
pub fn server() -> Option<String> {
    let url = std::env::var("ROOM_ARCHIVER_TEST_S3").ok();
    url.filter(|url| !url.is_empty())
}

#[test]
fn a_real_server_takes_copies_lists_them_and_gives_them_back() {
    let Some(server) = server() else {
        return skip(Capability::S3Server, "tests/s3/run starts one");
    };
    let prefix = format!("of test {}", std::process::id());
    let section = format!(
        "[copies.offsite]\nurl = \"s3://bucket/{prefix}\"\nendpoint = \"{server}\"\npart_size = \"64KiB\"\nverify_bytes_per_run = \"1MiB\"\n"
    );
    let setting = Setting::with(&format!(
        "{BY_ID}{EVERY_SECOND}[verify]\nschedule = \"*/2 * * * * *\"\n{section}"
    ));
    let add = |bytes| {
        setting.add(fake_space::NewRecording::completed(crate::harness::media(
            bytes,
        )))
    };
    let ids = [
        add(20 * KIB),
        add(THREE_PARTS),
        add(64 * KIB),
        add(64 * KIB + 1),
    ];
    let keys = [
        ("AWS_ACCESS_KEY_ID", "test:tester".as_ref()),
        ("AWS_SECRET_ACCESS_KEY", "testing".as_ref()),
    ];
    let mut daemon = Child::start(&setting, &keys);
    daemon.line("started");
    let copied = "SELECT count(*) FROM copies WHERE state = 'copied' AND read_at > copied_at";
    setting.wait(|setting| setting.sql(copied) == "4");
    daemon.stop();
    let errors = "SELECT coalesce(group_concat(error), '') FROM copies";
    assert_eq!(setting.sql(errors), "");
    for id in ids {
        let key = format!("s3://bucket/{prefix}/lesson/{id}.mp4");
        assert_eq!(
            setting.sql(&format!(
                "SELECT key FROM copies WHERE recording_id = '{id}'"
            )),
            key
        );
    }
    // Another archive with the same recordings takes over what is there.
    std::fs::remove_file(setting.database()).expect("a database");
    let before = daemon.told.len();
    let mut daemon = Child::start(&setting, &keys);
    daemon.line("started");
    setting.wait(|setting| setting.sql(copied) == "4");
    daemon.stop();
    assert!(before > 0 && Copying::key(ids[0]).contains("lesson"));
}
