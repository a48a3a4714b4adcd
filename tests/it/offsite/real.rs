//! The whole way to a real server by other authors and back, which `tests/s3/run` starts.

use super::{Offsite, text};
use crate::copies::real::server;
use crate::harness::bucket::Bucket;
use crate::harness::{Capability, skip};

#[test]
fn a_real_server_keeps_what_leaves_the_disk_and_gives_a_lost_machine_everything_back() {
    let Some(server) = server() else {
        return skip(Capability::S3Server, "tests/s3/run starts one");
    };
    let prefix = format!("way back {}", std::process::id());
    let section = format!(
        "[copies.offsite]\nurl = \"s3://bucket/{prefix}\"\nendpoint = \"{server}\"\npart_size = \"300KiB\"\nkeep_local = \"1d\"\n"
    );
    // The bucket of these tests has no part in it.
    let keys = ("test:tester", "testing");
    let mut offsite = Offsite::at(Bucket::start(), &section, keys, 3);
    let said = text(&offsite.setting.run(&["doctor"]));
    assert!(said.contains("read back and deleted"), "{said}");
    offsite.days_pass();
    offsite.verify();
    offsite.setting.once(0);
    let setting = &offsite.setting;
    assert_eq!(setting.files().len(), 0);
    let fetched = setting.run(&["fetch", &offsite.ids[0].to_string()]);
    assert_eq!(fetched.status.code(), Some(0), "{fetched:?}");
    assert!(offsite.is_here(0));
    let columns = "SELECT recording_id, session_id, room_name, started_at, sha256, archived_at FROM archive ORDER BY 1";
    let before = setting.sql(columns);
    offsite.lose_the_machine();
    let rebuilt = setting.run(&["rebuild", "--from", "offsite"]);
    assert_eq!(rebuilt.status.code(), Some(0), "{rebuilt:?}");
    assert_eq!(setting.sql(columns), before);
    setting.once(0);
    assert_eq!(setting.media_requests().len(), 3);
    let ids = [0, 1, 2].map(|n| offsite.ids[n].to_string());
    let fetched = setting.run(&["fetch", &ids[0], &ids[1], &ids[2]]);
    assert_eq!(fetched.status.code(), Some(0), "{fetched:?}");
    assert!((0..3).all(|n| offsite.is_here(n)));
    let errors = "SELECT coalesce(group_concat(error), '') FROM copies";
    assert_eq!(setting.sql(errors), "");
}
