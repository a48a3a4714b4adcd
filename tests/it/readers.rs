//! A member of the archive's group, who is neither the service's user nor root, reads the database with
//! plain `sqlite3 -readonly`: while the daemon runs, after it stopped in order, after it was killed.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output};

use super::harness::{Capability, Setting, has};

/// Ids that nobody has; the group is the archive's.
const READER: u32 = 54_321;
const STRANGER: u32 = 54_322;
const GROUP: u32 = 54_320;

fn query(database: &Path, user: u32, group: u32) -> Output {
    Command::new("setpriv")
        .args([
            &format!("--reuid={user}"),
            &format!("--regid={group}"),
            "--clear-groups",
        ])
        .args(["sqlite3", "-readonly"])
        .arg(database)
        .arg("SELECT count(*) FROM archive")
        .output()
        .expect("setpriv is part of util-linux")
}

/// An archive whose files belong to the group, as under the unit.
fn setting() -> Option<Setting> {
    if !has(Capability::Root) {
        return None;
    }
    let setting = Setting::with("");
    setting.space.archivable("lesson");
    let directory = setting.directory.path();
    chown(directory, None, Some(GROUP)).expect("chown");
    // New files take over the directory's group, as they have the service's under the unit.
    std::fs::set_permissions(directory, PermissionsExt::from_mode(0o2750)).expect("chmod");
    Some(setting)
}

fn members_read(setting: &Setting, when: &str) {
    let read = query(&setting.database(), READER, GROUP);
    assert!(read.status.success(), "{when}: {read:?}");
    assert_eq!(super::text(&read.stdout).trim(), "1", "{when}");
    let refused = query(&setting.database(), STRANGER, STRANGER);
    assert!(!refused.status.success(), "{when}: {refused:?}");
}

#[test]
fn a_member_of_the_group_reads_while_the_daemon_runs_and_after_it_stopped() {
    let Some(setting) = setting() else { return };
    let mut daemon = setting.daemon();
    daemon.line("archived a recording");
    members_read(&setting, "while it runs");
    daemon.stop();
    members_read(&setting, "after it stopped in order");
    let left = |suffix: &str| {
        let file = setting.directory.path().join(format!("archive.db{suffix}"));
        std::fs::metadata(file).expect(suffix).len()
    };
    assert_eq!((left("-wal"), left("-shm")), (0, 0), "closed in order");

    let mut daemon = setting.daemon();
    daemon.line("poll complete");
    daemon.kill();
    members_read(&setting, "after it was killed");
}

#[test]
fn a_member_of_the_group_reads_after_every_command_that_writes() {
    let Some(setting) = setting() else { return };
    for command in [
        &["once"][..],
        &["verify", "--full"],
        &["retry", "--stuck"],
        &["status"],
    ] {
        assert_eq!(setting.run(command).status.code(), Some(0), "{command:?}");
        members_read(&setting, command[0]);
    }
}
