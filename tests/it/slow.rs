//! Media hosts that take their time: what stalls or only drips is cut and gone on with, what moves lives,
//! and what never ends leaves the disk its reserve.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use fake_space::{
    Action, Gate, Generated, Media, NewRecording, NewSession, Options, Reported, Rule,
};
use room_archiver::clock::Clock;

use super::harness::{Archive, Setting};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

fn setting(new: NewRecording, more: &str) -> Setting {
    let mut setting = Setting::new(Options::default());
    setting.more = format!("[download]\n{more}\n");
    let session = setting.space.add_session(NewSession::completed("lesson"));
    setting.space.add_recording(session, new);
    setting
}

async fn polled(setting: &Setting) -> Archive {
    let archive = setting.open(&Clock::system()).await;
    archive.poll().await;
    archive
}

fn media(size: u64) -> Media {
    Media::generated(Generated::of_size(size))
}

#[tokio::test]
async fn a_body_that_only_drips_is_cut_and_the_part_gone_on_with() {
    let media = media(256 * KIB);
    let setting = setting(
        NewRecording::completed(media.clone()),
        "stall_timeout = \"1s\"\nretry_initial = \"1ms\"",
    );
    let archive = polled(&setting).await;
    // Never silent for long, and never done: a hundred bytes a second.
    let drip = Action::Trickle(10, Duration::from_millis(100));
    setting.space.inject(Rule::media(drip).once());
    assert_eq!(archive.download().await, 1);
    assert_eq!(setting.sql("SELECT sha256 FROM archive"), media.sha256());
    let attempts = "SELECT outcome, coalesce(error, '') FROM attempts ORDER BY attempt";
    assert_eq!(
        setting.sql(attempts),
        "retry|the media host sends too slowly\narchived|"
    );
    let from = setting.sql("SELECT max(from_byte) FROM attempts");
    assert!(from.parse::<u64>().expect("a number") > 0, "{from}");
}

#[tokio::test]
async fn a_slow_transfer_that_moves_lives() {
    let media = media(64 * KIB);
    let new = NewRecording::completed(media.clone());
    let setting = setting(new, "stall_timeout = \"1s\"");
    let archive = polled(&setting).await;
    // It takes longer than two windows.
    setting
        .space
        .inject(Rule::media(Action::Bandwidth(14 * KIB)));
    assert_eq!(archive.download().await, 1);
    assert_eq!(
        setting.sql("SELECT outcome, bytes FROM attempts"),
        format!("archived|{}", media.len())
    );
}

#[tokio::test]
async fn a_head_that_only_drips_or_never_comes_is_given_up_in_time() {
    for action in [
        Action::TrickleHead(1, Duration::from_millis(50)),
        Action::Hold(Gate::new()),
    ] {
        let setting = setting(
            NewRecording::completed(media(KIB)),
            "stall_timeout = \"400ms\"\nretry_initial = \"1ms\"",
        );
        let archive = polled(&setting).await;
        setting.space.inject(Rule::media(action).once());
        assert_eq!(archive.download().await, 1);
        let error = setting.sql("SELECT error FROM attempts WHERE outcome = 'retry'");
        let silent = "the media host sent nothing for 400ms (download.stall_timeout)";
        assert!(error.starts_with(silent), "{error}");
    }
}

#[tokio::test]
async fn answers_of_the_media_host_that_are_no_http_pass_like_an_outage() {
    for raw in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello",
    ] {
        let setting = setting(
            NewRecording::completed(media(KIB)),
            "retry_initial = \"1ms\"\nretry_max = \"2ms\"",
        );
        let archive = polled(&setting).await;
        setting
            .space
            .inject(Rule::media(Action::Raw(raw.into())).times(3));
        assert_eq!(archive.download().await, 1, "{raw}");
        let outcomes = "SELECT outcome, count(*) FROM attempts GROUP BY outcome ORDER BY outcome";
        assert_eq!(setting.sql(outcomes), "archived|1\nretry|3", "{raw}");
    }
}

/// A file system in memory, gone with the value.
struct Small(PathBuf);

impl Small {
    /// Mounts it; `None`, and a word on stderr, where that is forbidden.
    fn mount(at: PathBuf, size: &str) -> Option<Self> {
        std::fs::create_dir_all(&at).expect("a directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&at)
            .output()
            .expect("mount is installed");
        if !mounted.status.success() {
            eprintln!("SKIPPED: this machine forbids to mount a small file system: {mounted:?}");
            return None;
        }
        Some(Self(at))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn an_endless_body_of_no_known_size_leaves_the_reserve_and_no_part() {
    let new = NewRecording::completed(media(MIB)).size(Reported::Null);
    let mut setting = setting(new, "retry_initial = \"10m\"");
    setting.more += "[archive]\nmin_free_space = \"100MiB\"\n";
    let Some(_disk) = Small::mount(setting.recordings(), "256m") else {
        return;
    };
    let archive = polled(&setting).await;
    let endless = setting.space.inject(Rule::media(Action::Endless));
    assert_eq!(archive.download().await, 0);
    let attempt = setting.sql("SELECT outcome, error, bytes FROM attempts");
    let [outcome, error, bytes] = attempt.split('|').collect::<Vec<_>>()[..] else {
        panic!("{attempt}");
    };
    assert_eq!(outcome, "retry");
    assert!(error.starts_with("not enough free space"), "{error}");
    let bytes = bytes.parse::<u64>().expect("a number");
    assert!(
        (100 * MIB..160 * MIB + 64 * MIB).contains(&bytes),
        "{bytes}"
    );
    // Kept, it would hold the last room of the disk for ever: the others get it.
    let parts = setting.recordings().join(".partial");
    assert_eq!(std::fs::read_dir(parts).expect("a directory").count(), 0);
    setting.space.remove_fault(endless);
    setting.space.archivable("other");
    archive.poll().await;
    assert_eq!(archive.download().await, 1);
}
