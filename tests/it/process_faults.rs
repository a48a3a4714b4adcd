//! The process itself: two of them, signals, passes longer than their period, a task that panics, an output
//! that nobody reads.

use std::io::BufRead as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use fake_space::{Action, Gate, Rule};
use room_archiver::clock::Clock;

use super::harness::{Capability, EVERY_SECOND, Setting, has, media};

#[test]
fn two_archives_can_share_neither_a_database_nor_a_directory() {
    let setting = Setting::with(EVERY_SECOND);
    let other = |key: &str, command: &str| {
        let other = setting.directory.path().join("other");
        let output = setting.command().env(key, other).arg(command).output();
        output.expect("the program").status.code()
    };
    let mut daemon = setting.daemon();
    daemon.line("started");
    for command in ["run", "once"] {
        assert_eq!(setting.run(&[command]).status.code(), Some(6), "{command}");
        assert_eq!(
            other("ROOM_ARCHIVER__DATABASE__PATH", command),
            Some(6),
            "{command}"
        );
        // A directory that is none of the database's is not made, and the lock is asked for where it is.
        std::fs::create_dir_all(setting.directory.path().join("other")).expect("a directory");
        assert_eq!(
            other("ROOM_ARCHIVER__ARCHIVE__DIRECTORY", command),
            Some(6),
            "{command}"
        );
        std::fs::remove_dir(setting.directory.path().join("other")).expect("it is empty");
    }
    daemon.line("poll complete");
    daemon.stop();
    setting.once(0);
}

#[test]
fn a_second_signal_stops_at_once_and_the_next_start_goes_on() {
    let setting = Setting::with(EVERY_SECOND);
    let media = media(3 << 20);
    setting.add_media(&media);
    setting.once(0);
    // A file in its place that takes an hour to read, and a lost database: the stop waits for the reading.
    let file = setting.files().remove(0);
    let endless = std::fs::File::create(&file).expect("a file");
    endless.set_len(4 << 40).expect("a sparse file");
    for suffix in ["", "-wal", "-shm"] {
        let file = setting.directory.path().join(format!("archive.db{suffix}"));
        _ = std::fs::remove_file(file);
    }
    let mut daemon = setting.daemon();
    daemon.line("sweep complete");
    setting.wait(|setting| setting.sql("SELECT outcome FROM attempts") == "running");
    let clock = Clock::system();
    daemon.terminate();
    daemon.line("stopping");
    daemon.terminate();
    daemon.line("interrupted: stopping at once");
    assert_eq!(daemon.wait().code(), Some(0), "{:#?}", daemon.told);
    let took = clock.monotonic();
    assert!(took < Duration::from_secs(15), "{took:?}");
    std::fs::remove_file(&file).expect("a file");
    setting.once(0);
    assert_eq!(setting.sql("SELECT sha256 FROM archive"), media.sha256());
}

#[test]
fn a_pass_longer_than_its_period_is_never_joined_by_another() {
    let mut setting = Setting::with(EVERY_SECOND);
    setting.more += "[verify]\nschedule = \"* * * * * *\"\n";
    let mut daemon = setting.daemon();
    daemon.line("sweep complete");
    let gate = Gate::new();
    let hold = Rule::sessions(Action::Hold(gate.clone())).once();
    let hold = setting.space.inject(hold);
    setting.wait(|setting| setting.space.fired(hold) == 1);
    setting.space.clear_journal();
    // Slots of that same schedule come and go meanwhile.
    let verified = "SELECT count(*) FROM passes WHERE kind = 'verify'";
    let before: u32 = setting.sql(verified).parse().expect("a number");
    setting.wait(|setting| setting.sql(verified).parse::<u32>().expect("a number") > before + 2);
    let polls = "SELECT count(*) FROM passes WHERE kind = 'poll' AND outcome = 'running'";
    assert_eq!(setting.sql(polls), "1");
    gate.open();
    daemon.line("poll complete");
    daemon.line("poll complete");
    daemon.stop();
    let overlaps =
        "SELECT count(*) FROM passes a JOIN passes b ON a.id < b.id AND b.started_at < a.ended_at
        WHERE a.kind <> 'verify' AND b.kind <> 'verify'";
    assert_eq!(setting.sql(overlaps), "0");
    // Those that were missed are one.
    let soon = "SELECT count(*) FROM passes a JOIN passes b ON b.kind = 'poll' AND b.started_at BETWEEN a.ended_at
        AND strftime('%Y-%m-%dT%H:%M:%fZ', a.ended_at, '+0.9 seconds')
        WHERE a.kind = 'poll' AND julianday(a.ended_at) - julianday(a.started_at) > 1.0 / 86400";
    let soon: u32 = setting.sql(soon).parse().expect("a number");
    assert!((1..=2).contains(&soon), "{soon}");
}

#[test]
fn a_panic_in_a_task_ends_the_process_with_a_failure_and_the_next_start_goes_on() {
    if !has(Capability::Strace) {
        return;
    }
    let setting = Setting::with(EVERY_SECOND);
    let mut daemon = setting.daemon();
    daemon.line("sweep complete");
    // From now on the system refuses another thread: the runtime panics when it needs one.
    let mut strace = Command::new("strace");
    strace.args(["-f", "-p", &daemon.id().to_string(), "-o", "/dev/null"]);
    strace.args([
        "-e",
        "trace=clone3,clone",
        "-e",
        "inject=clone3,clone:error=EPERM",
    ]);
    let mut strace = strace.stderr(Stdio::piped()).spawn().expect("strace");
    let told = std::io::BufReader::new(strace.stderr.take().expect("a pipe")).lines();
    let attached = |line: String| line.contains("attached");
    assert!(told.map_while(Result::ok).any(attached));
    let gate = Gate::new();
    setting
        .space
        .inject(Rule::media(Action::Hold(gate.clone())));
    for _ in 0..4 {
        setting.space.archivable("lesson");
    }
    // All four go on at the same time, and each needs a thread.
    setting.wait(|setting| setting.space.counters().media_requests == 4 || ended(setting));
    gate.open();
    let end = daemon.wait();
    _ = strace.wait();
    assert_eq!(end.code(), Some(1), "{:#?}", daemon.told);
    assert!(
        daemon
            .told
            .iter()
            .any(|line| line.contains("a task panicked")),
        "{:#?}",
        daemon.told
    );
    setting.once(0);
    assert_eq!(setting.count("archive"), "4");
}

/// Nobody holds the archive any more.
fn ended(setting: &Setting) -> bool {
    let mut lock = setting.database().into_os_string();
    lock.push(".lock");
    std::fs::File::open(lock).is_ok_and(|lock| lock.try_lock_shared().is_ok())
}

#[test]
fn an_output_that_nobody_reads_is_no_reason_to_panic() {
    let setting = Setting::with(EVERY_SECOND);
    setting.space.archivable("lesson");
    setting.once(0);
    let id = setting.sql("SELECT recording_id FROM archive");
    for args in [
        &["once"][..],
        &["once", "--dry-run"],
        &["status"],
        &["status", "--json"],
        &["show", &id],
        &["verify", "--full"],
        &["doctor"],
        &["config", "show"],
        &["retry", "--stuck"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("room-archiver"));
        command
            .env_clear()
            .env("ROOM_ARCHIVER_API_TOKEN", setting.space.token())
            .arg("--config")
            .arg(setting.config_file())
            .args(args)
            .stdout(writer);
        let output = command.output().expect("the program");
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        let error = super::text(&output.stderr);
        assert!(!error.contains("panicked"), "{args:?}: {error}");
    }
}
