//! A database that others read and lock, that is damaged, newer, older, or killed while it is migrated.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use room_archiver::clock::Clock;

use super::harness::disk::program;
use super::harness::{EVERY_SECOND, Other, Setting, sqlite};

fn setting() -> Setting {
    let verify = "[verify]\nschedule = \"* * * * * *\"\n";
    let setting = Setting::with(&format!("{EVERY_SECOND}{verify}"));
    setting.space.archivable("lesson");
    setting
}

#[test]
fn another_writer_that_holds_the_lock_for_seconds_is_waited_for_and_nothing_is_lost() {
    let setting = setting();
    let mut daemon = setting.daemon();
    daemon.line("archived a recording");
    let mut writer = Other::begin(&setting.database(), "BEGIN IMMEDIATE;");
    writer.goes_on(".shell sleep 2\nCOMMIT;");
    let clock = Clock::system();
    setting.space.archivable("lesson");
    daemon.line("archived a recording");
    assert!(
        clock.monotonic() > Duration::from_millis(1500),
        "it held the lock"
    );
    drop(writer);
    daemon.stop();
    assert_eq!(setting.count("archive"), "2");
    let bad = "SELECT count(*) FROM passes WHERE outcome NOT IN ('complete', 'running', 'stopped')";
    assert_eq!(setting.sql(bad), "0");
    assert!(
        !daemon.told.iter().any(|line| line.contains("ERROR")),
        "{:#?}",
        daemon.told
    );
}

#[test]
fn a_reader_with_a_long_transaction_holds_up_neither_the_work_nor_the_stop() {
    let setting = setting();
    let mut daemon = setting.daemon();
    daemon.line("archived a recording");
    let mut reader = Other::begin(&setting.database(), "BEGIN;\nSELECT count(*) FROM archive;");
    let clock = Clock::system();
    for _ in 0..2 {
        setting.space.archivable("lesson");
        daemon.line("archived a recording");
        // Which ends with a checkpoint.
        daemon.line("verified archived files");
    }
    daemon.stop();
    assert!(
        clock.monotonic() < Duration::from_secs(20),
        "{:?}",
        clock.monotonic()
    );
    let seen = setting.directory.path().join("seen");
    reader.goes_on(&format!(
        ".output '{}'\nSELECT count(*) FROM archive;\nCOMMIT;",
        seen.display()
    ));
    drop(reader);
    assert_eq!(std::fs::read_to_string(seen).expect("a file").trim(), "1");
    assert_eq!(setting.count("archive"), "3");
}

/// Every command refuses it, says what to do, and leaves it as it is.
fn is_refused(setting: &Setting, commands: &[&str], advice: &str) {
    let before = std::fs::read(setting.database()).expect("a file");
    for command in commands {
        let output = setting.run(&[command]);
        assert_eq!(output.status.code(), Some(1), "{command}: {output:?}");
        let error = super::text(&output.stderr);
        assert!(error.contains(advice), "{command}: {error}");
    }
    let after = std::fs::read(setting.database()).expect("a file");
    assert!(before == after, "it was left untouched");
}

#[test]
fn a_damaged_database_is_refused_untouched_with_what_to_do() {
    for page in ["header", "middle"] {
        let setting = setting();
        setting.once(0);
        let mut commands = &["once", "run", "status"][..];
        if page == "middle" {
            // As after a power cut. Those who only read find out when they meet it.
            setting.write_sql("DELETE FROM meta WHERE name = 'clean_stop'");
            commands = &["once", "run"];
        }
        let mut bytes = std::fs::read(setting.database()).expect("a file");
        let (from, advice) = match page {
            "header" => (0, "move it away"),
            _ => (bytes.len() / 2 / 4096 * 4096, "once --sweep"),
        };
        bytes[from..from + 100].fill(0xa5);
        std::fs::write(setting.database(), bytes).expect("a file");
        is_refused(&setting, commands, advice);
        // What it says to do does it, without a download.
        for suffix in ["", "-wal", "-shm"] {
            let file = setting.directory.path().join(format!("archive.db{suffix}"));
            _ = std::fs::remove_file(file);
        }
        setting.space.clear_journal();
        let output = setting.run(&["once", "--sweep"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(setting.space.counters().media_requests, 0);
        assert_eq!(setting.count("archive"), "1");
    }
}

#[test]
fn a_database_of_a_newer_release_is_refused_untouched_with_what_to_do() {
    let setting = setting();
    setting.once(0);
    setting.write_sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (999999, 'of tomorrow', 1, x'00', 0)",
    );
    is_refused(&setting, &["once", "run", "status"], "newer release");
}

/// A database with the first migration alone, and some of what it keeps.
fn older(setting: &Setting, path: &Path) {
    let newest = setting.directory.path().join("newest.db");
    let output = setting
        .command()
        .env("ROOM_ARCHIVER__DATABASE__PATH", &newest)
        .env(
            "ROOM_ARCHIVER__ARCHIVE__DIRECTORY",
            setting.directory.path().join("other"),
        )
        .arg("once")
        .output()
        .expect("the program");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let script = format!(
        "PRAGMA journal_mode = wal;\n{}\nATTACH '{}' AS newest;
        CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
            installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL,
            checksum BLOB NOT NULL, execution_time BIGINT NOT NULL);
        INSERT INTO _sqlx_migrations SELECT * FROM newest._sqlx_migrations WHERE version = 1;
        INSERT INTO meta VALUES ('kept', 'through it all');",
        include_str!("../../migrations/0001_archive.sql"),
        newest.display(),
    );
    let mut sqlite3 = Command::new("sqlite3")
        .arg("-bail")
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("sqlite3 is installed");
    let mut stdin = sqlite3.stdin.take().expect("a pipe");
    stdin.write_all(script.as_bytes()).expect("a pipe");
    drop(stdin);
    assert!(sqlite3.wait().expect("an end").success());
}

fn schema(database: &Path) -> String {
    sqlite(
        database,
        "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE '%sql%' ORDER BY 1, 2",
    )
}

fn with_suffix(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[test]
#[ignore = "tests/crash/sweep runs it"]
fn an_older_database_is_migrated_whenever_it_is_killed_meanwhile_crash_sweep() {
    let setting = setting();
    let database = setting.database();
    let kept = setting.directory.path().join("older.db");
    older(&setting, &kept);
    let wanted = schema(&setting.directory.path().join("newest.db"));
    std::fs::copy(&kept, &database).expect("a copy");
    is_refused(&setting, &["status"], "older release");
    std::fs::create_dir(setting.recordings()).expect("a directory");
    let files = ["", "-wal", "-shm", "-journal"].map(|suffix| with_suffix(&database, suffix));
    let tool = std::env::var_os("CRASH_AT_NTH").expect("tests/crash/sweep runs this");
    let every = std::env::var("CRASH_EVERY").map_or(1, |every| every.parse().expect("a number"));
    let mut kills = 0;
    // The migration is a few dozen calls long.
    for nth in (1_usize..).step_by(1.max(every / 8)) {
        for file in &files {
            _ = std::fs::remove_file(file);
        }
        std::fs::copy(&kept, &database).expect("a copy");
        let mut command = Command::new(&tool);
        command.arg(nth.to_string()).arg("--");
        let ended = program(command, &setting, &["once"]).output();
        let ended = ended.expect("the program");
        if schema(&database) == wanted {
            break;
        }
        assert!(!ended.status.success(), "{nth}: {ended:?}");
        let again = setting.run(&["once"]);
        assert_eq!(again.status.code(), Some(0), "{nth}: {again:?}");
        assert_eq!(schema(&database), wanted, "{nth}");
        let fact = setting.sql("SELECT value FROM meta WHERE name = 'kept'");
        assert_eq!(fact, "through it all", "{nth}");
        kills += 1;
    }
    assert!(kills > 3, "killed {kills} times");
}
