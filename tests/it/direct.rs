//! Writes past the page cache: that they happen, and file systems that refuse them.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;

use fake_space::{Action, Generated, Media, NewRecording, NewSession, Options, Rule};
use rustix::fs::OFlags;

use super::disk::{can_trace, once_failing};
use super::harness::Setting;

const MIB: u64 = 1 << 20;

/// What the program's calls on the part were, after one recording was archived whole.
fn calls(inject: &[&str], rule: Option<Rule>) -> String {
    let setting = Setting::new(Options::default());
    assert_eq!(setting.run(&["once"]).status.code(), Some(0));
    let media = Media::generated(Generated::of_size(3 * MIB + 777));
    let session = setting.space.add_session(NewSession::completed("lesson"));
    let recording = NewRecording::completed(media.clone());
    let id = setting.space.add_recording(session, recording);
    if let Some(rule) = rule {
        setting.space.inject(rule);
    }
    let part = setting.recordings().join(format!(".partial/{id}.part"));
    let (output, log) = once_failing(&setting, inject, &[&part]);
    assert_eq!(output.status.code(), Some(0), "{output:?}\n{log}");
    let path = setting.sql("SELECT path FROM archive");
    let file = std::fs::read(setting.recordings().join(path)).expect("the file");
    let content: Vec<u8> = media.read(0..media.len()).flatten().collect();
    assert!(file == content, "{inject:?}: {log}");
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
        eprintln!("SKIPPED: no direct writes in temporary directories: {error}");
    }
    opened.is_ok()
}

#[test]
fn a_part_goes_past_the_page_cache_and_its_odd_ends_through_it() {
    if !can_trace() || !can_go_direct() {
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
    if !can_trace() {
        return;
    }
    for inject in ["fcntl:error=EINVAL:when=2", "write:error=EINVAL:when=1"] {
        let log = calls(&[inject], None);
        assert!(log.contains("INJECTED"), "{inject}: {log}");
    }
}
