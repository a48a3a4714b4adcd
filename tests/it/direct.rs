//! Writes past the page cache: that they happen, and file systems that refuse them.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;

use fake_space::{Action, Rule};
use rustix::fs::OFlags;

use super::harness::disk::once_failing;
use super::harness::{Capability, MIB, Setting, content, has, media, skip};

/// What the program's calls on the part were, after one recording was archived whole.
fn calls(inject: &[&str], rule: Option<Rule>) -> String {
    let setting = Setting::with("");
    setting.once(0);
    let media = media(3 * MIB + 777);
    let id = setting.add_media(&media);
    if let Some(rule) = rule {
        setting.space.inject(rule);
    }
    let (output, log) = once_failing(&setting, inject, &[&setting.part(id)]);
    assert_eq!(output.status.code(), Some(0), "{output:?}\n{log}");
    let path = setting.sql("SELECT path FROM archive");
    let file = std::fs::read(setting.recordings().join(path)).expect("the file");
    assert!(file == content(&media), "{inject:?}: {log}");
    log
}

/// Whether the file system of temporary directories takes direct writes: older tmpfs do not.
fn can_go_direct() -> bool {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .custom_flags(OFlags::DIRECT.bits().cast_signed())
        .open(directory.path().join("file"));
    if let Err(error) = &opened {
        skip(Capability::DirectWrites, &error.to_string());
    }
    opened.is_ok()
}

#[test]
fn a_part_goes_past_the_page_cache_and_its_odd_ends_through_it() {
    if !has(Capability::Strace) || !can_go_direct() {
        return;
    }
    let cut = Rule::media(Action::CloseAfter(2 * MIB + 333)).once();
    for rule in [None, Some(cut)] {
        let log = calls(&["fcntl", "write"], rule);
        let direct = log.matches("|O_DIRECT|O_LARGEFILE|O_NOFOLLOW) = 0").count();
        assert!(direct > 0 && log.matches(" write(").count() > 4, "{log}");
        assert!(!log.contains("EINVAL"), "{log}");
    }
}

#[test]
fn where_the_file_system_refuses_that_a_part_is_written_all_the_same() {
    if !has(Capability::Strace) {
        return;
    }
    for inject in ["fcntl:error=EINVAL:when=2", "write:error=EINVAL:when=1"] {
        let log = calls(&[inject], None);
        assert!(log.contains("INJECTED"), "{inject}: {log}");
    }
}
