//! Disks that are full, too small or limited: downloads pause or are put off, polling goes on, nothing is used up,
//! and all goes on by itself once there is room.

use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fake_space::{Action, Gate, NewRecording, Reported, Rule};
use room_archiver::clock::Clock;
use room_archiver::download::Until;
use room_archiver::model::time::to_text;
use room_archiver::store::PauseKind;

use super::harness::disk::{Mount, failing, program};
use super::harness::{Archive, Capability, MIB, Setting, has, media};

/// A space with one recording of so many MiB for each.
fn setting(sizes: &[u64]) -> Setting {
    let setting = Setting::with("");
    for mib in sizes {
        setting.add_media(&media(mib * MIB));
    }
    setting
}

/// Waits until something holds, half a minute at the most, while other tasks go on.
#[track_caller]
fn until(mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let caller = Location::caller();
    async move {
        for _ in 0..3000 {
            if holds() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it did not come to hold: {caller}");
    }
}

fn fill(directory: &Path, bytes: u64) -> PathBuf {
    let filler = directory.join("filler");
    let zeros = vec![0; usize::try_from(bytes).expect("a size")];
    std::fs::write(&filler, zeros).expect("a file");
    filler
}

/// Makes empty files until there are no inodes but `left`.
fn use_up_inodes(directory: &Path, left: usize) -> PathBuf {
    let files = directory.join("many");
    std::fs::create_dir(&files).expect("a directory");
    let made = (0..).take_while(|n| std::fs::write(files.join(n.to_string()), "").is_ok());
    for n in 0..left.min(made.count()) {
        std::fs::remove_file(files.join(n.to_string())).expect("a file");
    }
    files
}

fn free(path: &Path) {
    let removed = if path.is_dir() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    };
    removed.expect("a file");
}

/// Downloads pause on the full disk, polls go on, and once it is freed and half a minute is over, all is
/// archived at the first attempt that counts.
async fn pauses_and_resumes(setting: &Setting, archive: &Archive, clock: &Clock, filler: &Path) {
    let script = async {
        until(|| archive.downloader.paused().is_some()).await;
        let pause = archive.downloader.paused().expect("a pause");
        assert_eq!(pause.reason, PauseKind::Disk, "{pause:?}");
        setting.space.archivable("later");
        let report = archive.poll().await;
        assert_eq!(report.error, None);
        assert_eq!(report.counts.recordings_new, 1);
        // Rings alone do not end the pause.
        for _ in 0..5 {
            archive.app.wake.wake();
            tokio::task::yield_now().await;
        }
        let queue = setting.sql("SELECT state, attempts FROM queue");
        assert_eq!(queue, "pending|0\npending|0", "{}", pause.error);
        assert_eq!(setting.count("attempts"), "0");
        free(filler);
        clock.advance(Duration::from_secs(31));
        archive.app.wake.wake();
        // One may be put off for the sake of the other; time goes on only once it is.
        let now = to_text(clock.now());
        let put_off = format!(
            "SELECT count(*) FROM queue WHERE state = 'pending' AND next_attempt_at > '{now}'"
        );
        until(|| {
            setting.count("archive") == "2"
                || setting.count("archive") == "1" && setting.sql(&put_off) == "1"
        })
        .await;
        if setting.count("archive") == "1" {
            clock.advance(Duration::from_secs(301));
            archive.app.wake.wake();
        }
        until(|| setting.count("archive") == "2").await;
        // The row comes first, the end of the pause a moment later.
        until(|| archive.downloader.paused().is_none()).await;
        archive.app.stop.cancel();
    };
    let (done, ()) = tokio::join!(archive.downloader.run(Until::Stopped), script);
    assert_eq!(done.expect("a database"), 2);
    let attempts = setting.sql("SELECT attempt, outcome FROM attempts");
    assert_eq!(attempts, "1|archived\n1|archived");
    assert_eq!(setting.part_bytes(), 0);
}

#[tokio::test]
async fn below_the_reserve_downloads_pause_and_resume_by_themselves_while_polling_goes_on() {
    let mut setting = setting(&[3]);
    setting
        .more
        .push_str("[archive]\nmin_free_space = \"2MiB\"");
    let Some(_disk) = Mount::tmpfs(&setting.recordings(), "size=8m") else {
        return;
    };
    let filler = fill(&setting.recordings(), 6 * MIB + MIB / 2);
    let clock = Clock::manual(setting.space.now());
    let archive = setting.open(&clock).await;
    archive.poll().await;
    pauses_and_resumes(&setting, &archive, &clock, &filler).await;
    assert_eq!(setting.space.counters().media_requests, 2);
}

#[tokio::test]
async fn a_disk_that_runs_full_in_a_write_pauses_downloads_and_gets_its_last_room_back() {
    let setting = setting(&[]);
    let Some(_disk) = Mount::tmpfs(&setting.recordings(), "size=8m") else {
        return;
    };
    // Nobody tells the length: only the write finds out.
    setting.add(NewRecording::completed(media(3 * MIB)).size(Reported::Null));
    setting.space.inject(Rule::media(Action::UntilClose).once());
    let filler = fill(&setting.recordings(), 6 * MIB);
    let clock = Clock::manual(setting.space.now());
    let archive = setting.open(&clock).await;
    archive.poll().await;
    pauses_and_resumes(&setting, &archive, &clock, &filler).await;
}

#[tokio::test]
async fn without_inodes_downloads_pause_and_resume_by_themselves() {
    let setting = setting(&[3]);
    let Some(_disk) = Mount::tmpfs(&setting.recordings(), "size=16m,nr_inodes=40") else {
        return;
    };
    let clock = Clock::manual(setting.space.now());
    let archive = setting.open(&clock).await;
    archive.poll().await;
    let filler = use_up_inodes(&setting.recordings(), 0);
    pauses_and_resumes(&setting, &archive, &clock, &filler).await;
    assert_eq!(setting.space.counters().media_requests, 2);
}

#[tokio::test]
async fn a_whole_part_that_finds_no_room_for_its_directory_is_not_fetched_again() {
    let setting = setting(&[3]);
    let Some(_disk) = Mount::tmpfs(&setting.recordings(), "size=16m,nr_inodes=40") else {
        return;
    };
    let clock = Clock::manual(setting.space.now());
    let archive = setting.open(&clock).await;
    archive.poll().await;
    // One for the part; none for its directory.
    let filler = use_up_inodes(&setting.recordings(), 1);
    pauses_and_resumes(&setting, &archive, &clock, &filler).await;
    // One for each recording.
    assert_eq!(setting.space.counters().media_requests, 2);
}

#[tokio::test]
async fn a_recording_too_large_for_the_room_is_put_off_and_the_others_go_on() {
    let mut setting = setting(&[20, 1, 2]);
    setting.more.push_str("[download]\nconcurrency = 1");
    let Some(disk) = Mount::tmpfs(&setting.recordings(), "size=8m") else {
        return;
    };
    let clock = Clock::manual(setting.space.now());
    let archive = setting.open(&clock).await;
    archive.poll().await;
    assert_eq!(archive.download().await, 2);
    assert_eq!(archive.downloader.paused(), None);
    let left = setting.sql("SELECT state, attempts, last_error FROM queue");
    assert!(
        left.starts_with("pending|0|not enough free space"),
        "{left}"
    );
    disk.remount("size=64m");
    assert_eq!(archive.download().await, 0, "not before its time");
    clock.advance(Duration::from_secs(301));
    assert_eq!(archive.download().await, 1);
}

#[tokio::test]
async fn of_two_that_do_not_both_fit_one_starts() {
    for size in [Reported::True, Reported::Null] {
        let setting = setting(&[]);
        let Some(disk) = Mount::tmpfs(&setting.recordings(), "size=10m") else {
            return;
        };
        for _ in 0..2 {
            setting.add(NewRecording::completed(media(6 * MIB)).size(size));
        }
        let gate = Gate::new();
        setting
            .space
            .inject(Rule::media(Action::Hold(gate.clone())).once());
        let clock = Clock::manual(setting.space.now());
        let archive = setting.open(&clock).await;
        archive.poll().await;
        let watching = async {
            gate.arrived(1).await;
            let put_off = "SELECT count(*) FROM queue WHERE state = 'pending'";
            until(|| setting.sql(put_off) == "1").await;
            assert_eq!(setting.space.counters().media_requests, 1);
            gate.open();
        };
        let (done, ()) = tokio::join!(archive.download(), watching);
        assert_eq!(done, 1);
        assert_eq!(setting.sql("SELECT attempts FROM queue"), "0");
        disk.remount("size=32m");
        clock.advance(Duration::from_secs(301));
        assert_eq!(archive.download().await, 1);
    }
}

#[test]
fn a_quota_puts_downloads_off_and_a_limit_of_file_sizes_only_those_beyond_it() {
    if !has(Capability::Strace) {
        return;
    }
    let setting = setting(&[]);
    let recording = setting.add_media(&media(3 * MIB));
    let part = format!(".partial/{recording}.part");
    let part = setting.recordings().join(part);
    let log = setting.directory.path().join("strace.log");
    let quota = failing(&["write:error=EDQUOT"], &[&part], &log);
    let limit = {
        let mut prlimit = Command::new("prlimit");
        prlimit.arg(format!("--fsize={}", 2 * MIB));
        prlimit
    };
    for (command, archived) in [(quota, 0), (limit, 1)] {
        if archived > 0 {
            setting.space.archivable("small");
        }
        let output = program(command, &setting, &["once"]).output();
        let output = output.expect("the program");
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        let left = setting.sql("SELECT state FROM queue");
        assert_eq!(left, "pending", "{output:?}");
        let count = setting.count("archive");
        assert_eq!(count, archived.to_string(), "{output:?}");
        assert_eq!(setting.part_bytes(), 0);
        // As if the time it was put off for were over.
        setting.due();
    }
    setting.once(0);
    assert_eq!(setting.count("archive"), "2");
}
