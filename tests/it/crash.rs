//! Crash sweeps: the real program is killed, or loses power, right before its N-th system call that changes
//! a file, for N = 1, 2, 3 … until it gets through. Each time a restart has to finish the archive, and not to
//! download again what had landed.
//!
//! `tests/crash/sweep` runs them, with the tool they need; CI runs each so-many-th N.

mod disk;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use fake_space::{Action, NewRecording, NewSession, Rule};
use rustix::process::{Pid, Signal, kill_process};
use uuid::Uuid;

use super::harness::{Setting, media};
use super::{harness, text};
use disk::Disk;

#[test]
#[ignore = "tests/crash/sweep runs it"]
fn once_killed_anywhere_is_finished_by_the_next() {
    sweep(Subject::Once, Place::Kept);
}

#[test]
#[ignore = "tests/crash/sweep runs it"]
fn the_service_killed_anywhere_is_finished_by_the_next() {
    sweep(Subject::Run, Place::Kept);
}

#[test]
#[ignore = "tests/crash/sweep runs it"]
fn a_power_cut_anywhere_in_once_is_mended_by_the_next() {
    sweep(Subject::Once, Place::Apart);
}

#[test]
#[ignore = "tests/crash/sweep runs it"]
fn a_power_cut_anywhere_in_the_service_is_mended_by_the_next() {
    sweep(Subject::Run, Place::Apart);
}

#[test]
#[ignore = "tests/crash/sweep runs it"]
fn a_power_cut_of_the_one_disk_is_mended_by_the_next() {
    sweep(Subject::Once, Place::Together);
}

/// What is crashed, and then started again until it is done.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Subject {
    Once,
    Run,
}

/// Where archive and database lie.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// On a disk that keeps what a killed process wrote.
    Kept,
    /// On disks of their own that lose power. A shared one would hide a missing sync of the archive behind
    /// the next sync of the database.
    Apart,
    /// On one disk that loses power.
    Together,
}

/// Crashes before the first call, and from there on before each so-many-th.
fn sweep(subject: Subject, place: Place) {
    let number = |name: &str, otherwise| {
        std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let every = number("CRASH_EVERY", 1_usize);
    let first = number("CRASH_FROM", 1 + number("CRASH_SEED", 0) % every);
    let mut crashes = 0;
    for nth in (first..).step_by(every) {
        let case = Case::new(place);
        let Some(before) = case.crash(subject, nth) else {
            case.check();
            break;
        };
        case.what_is_archived_is_there();
        let landed = case.landed();
        let count = landed.len();
        println!("{subject:?} {place:?} {nth}: before {before}; {count} landed");
        case.setting.space.clear_journal();
        case.restart(subject);
        case.check();
        case.nothing_came_twice(&landed);
        crashes += 1;
    }
    println!("{subject:?} {place:?}: {crashes} crashes, and each time all was well in the end");
    assert!(crashes > 5, "it was hardly ever crashed");
}

/// Whether a process listens for SIGTERM by now: before that it would end it without a word.
fn listens(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    caught.is_some_and(|caught| {
        u64::from_str_radix(caught.trim(), 16).is_ok_and(|caught| caught & (1 << 14) != 0)
    })
}

struct Case {
    // Unmounted before the setting's directory goes.
    disks: Vec<Disk>,
    setting: Setting,
    recordings: Vec<Uuid>,
}

impl Case {
    /// A space with three recordings, one of which comes in two parts, and nothing of them archived.
    fn new(place: Place) -> Self {
        let mut setting = Setting::with("");
        let directory = setting.directory.path().to_owned();
        let disks: Vec<Disk> = match place {
            Place::Kept => Vec::new(),
            Place::Apart => vec![Disk::new(&directory, "one"), Disk::new(&directory, "two")],
            Place::Together => vec![Disk::new(&directory, "one")],
        };
        if let (Some(first), Some(last)) = (disks.first(), disks.last()) {
            setting.recordings = first.mount.join("recordings");
            setting.database = last.mount.join("state/archive.db");
        }
        // One download at a time: the calls come in much the same order each time.
        setting
            .more
            .push_str("[download]\nconcurrency = 1\n[poll]\nschedule = \"* * * * * *\"");
        let space = &setting.space;
        let (_, small) = space.archivable("lesson");
        let hearing = space.add_session(NewSession::completed("hearing"));
        let [cut, whole] = [200_000, 300_000].map(|size| {
            let media = media(size);
            space.add_recording(hearing, NewRecording::completed(media))
        });
        space.inject(Rule::media(Action::CloseAfter(100_000)).of(cut).once());
        Self {
            disks,
            setting,
            recordings: vec![small, cut, whole],
        }
    }

    /// Runs the program until it is crashed, and tells before which call; `None` if it got through.
    fn crash(&self, subject: Subject, nth: usize) -> Option<String> {
        let tool = std::env::var_os("CRASH_AT_NTH").expect("tests/crash/sweep runs this");
        let mut command = Command::new(tool);
        command.arg(nth.to_string());
        for disk in &self.disks {
            command.arg("--cut").arg(&disk.mount);
        }
        command.arg("--").arg(env!("CARGO_BIN_EXE_room-archiver"));
        let output = self.run(subject, command);
        let told = text(&output.stderr);
        if output.status.success() {
            return None;
        }
        assert_eq!(output.status.code(), Some(137), "{told}");
        for disk in &self.disks {
            disk.replug();
        }
        let (_, before) = told.rsplit_once("killed before ").expect(told);
        Some(before.trim().to_owned())
    }

    fn restart(&self, subject: Subject) {
        let command = Command::new(env!("CARGO_BIN_EXE_room-archiver"));
        let output = self.run(subject, command);
        assert!(output.status.success(), "the restart: {output:#?}");
    }

    /// Runs `once --sweep`, or the service until it has archived everything.
    fn run(&self, subject: Subject, mut command: Command) -> Output {
        command
            .env_clear()
            .env("ROOM_ARCHIVER_API_TOKEN", self.setting.space.token())
            .arg("--config")
            .arg(self.setting.config_file())
            .args(match subject {
                Subject::Once => ["once", "--sweep"].as_slice(),
                Subject::Run => &["run"],
            })
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("a program");
        if subject == Subject::Run {
            let traced = command.get_program() != env!("CARGO_BIN_EXE_room-archiver");
            self.setting.wait(|_| {
                child.try_wait().expect("a child").is_some()
                    || (self.is_done() && (traced || listens(child.id())))
            });
            // It may end by itself in between.
            _ = kill_process(Pid::from_child(&child), Signal::TERM);
        }
        child.wait_with_output().expect("a child")
    }

    fn is_done(&self) -> bool {
        let count = query(&self.setting.database(), "SELECT count(*) FROM archive");
        text(&count.stdout).trim() == self.recordings.len().to_string()
    }

    /// The recordings whose files stand in their places.
    fn landed(&self) -> Vec<Uuid> {
        let files = self.setting.files();
        let stands = |id: &Uuid| {
            let named = |file: &PathBuf| file.to_string_lossy().contains(&id.to_string());
            files.iter().any(named)
        };
        self.recordings.iter().copied().filter(stands).collect()
    }

    /// Every row that the crash left as archived has its whole file, before anything is mended.
    fn what_is_archived_is_there(&self) {
        // Read from a copy: SQLite would clear up after the crash what the restart has to.
        let database = self.setting.database();
        let copy = self.setting.directory.path().join("copy.db");
        for suffix in ["", "-wal", "-journal"] {
            let with = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
            _ = std::fs::copy(with(&database), with(&copy));
        }
        let rows = query(&copy, "SELECT path, sha256 FROM archive");
        for row in text(&rows.stdout).lines() {
            let (path, sha256) = row.rsplit_once('|').expect(row);
            let bytes = std::fs::read(self.setting.recordings().join(path)).expect(path);
            assert_eq!(harness::sha256(&bytes), sha256, "{path}");
        }
    }

    fn check(&self) {
        harness::invariant::check(&self.setting, &self.recordings);
    }

    /// What had landed was adopted, and what had not was sent no more than once.
    fn nothing_came_twice(&self, landed: &[Uuid]) {
        for id in &self.recordings {
            let id_text = id.to_string();
            let journal = self.setting.space.journal();
            let sent: u64 = journal
                .iter()
                .filter(|seen| seen.is_media() && seen.path.contains(&id_text))
                .map(|seen| seen.body_bytes_sent)
                .sum();
            let size = self.setting.space.recording(*id).expect("it").media.len();
            let most = if landed.contains(id) { 0 } else { size };
            assert!(sent <= most, "{id}: {sent} of {size} bytes came again");
        }
    }
}

/// What `sqlite3` makes of a database that may not be one yet.
fn query(database: &Path, query: &str) -> Output {
    let mut sqlite = Command::new("sqlite3");
    sqlite.arg("-readonly").arg(database).arg(query);
    sqlite.output().expect("sqlite3 is installed")
}
