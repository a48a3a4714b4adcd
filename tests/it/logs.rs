//! Logging of a whole process, stderr included: each case runs in a child of its own.

use std::process::Stdio;

use room_archiver::clock::Clock;
use room_archiver::telemetry::logs::{LogError, LogFormat, Logs};
use tracing::level_filters::LevelFilter;

use crate::alone;
use crate::harness::Setting;

const CHILD: &str = "logs::child_that_logs_and_panics";

#[test]
#[ignore = "what the children of the tests below do"]
fn child_that_logs_and_panics() {
    let init = || Logs::init(LevelFilter::INFO, LogFormat::Auto, Clock::system());
    init().expect("the first time");
    assert!(matches!(init(), Err(LogError::Already)));
    tracing::error!("it goes on");
    let panicked = std::thread::spawn(|| panic!("room \x1b[31m\n<0>forged")).join();
    assert!(panicked.is_err());
}

#[test]
fn a_stderr_that_nobody_reads_stops_nothing() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    assert!(alone(CHILD, writer).status.success());
}

#[test]
fn a_panic_is_logged_on_one_harmless_line() {
    let output = alone(CHILD, Stdio::piped());
    assert!(output.status.success());
    let text = String::from_utf8(output.stderr).expect("text");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text:?}");
    assert!(
        lines[0].ends_with("it goes on"),
        "not for the journal: {text:?}"
    );
    assert!(lines[1].contains("panicked: room "), "{text:?}");
    assert!(!text.contains('\x1b'), "{text:?}");
}

#[test]
fn numbers_in_json_logs_are_numbers() {
    let setting = Setting::with("[log]\nformat = \"json\"\nlevel = \"debug\"\n");
    setting.space.archivable("lesson");
    let mut daemon = setting.daemon();
    daemon.line("archived a recording");
    daemon.stop();
    setting.space.refuse_credentials(Some(401));
    let mut again = setting.daemon();
    again.line("refused");
    again.stop();
    let mut numbers = std::collections::BTreeSet::new();
    for line in daemon.told.iter().chain(&again.told) {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        for (field, value) in line.as_object().expect("an object") {
            let text = value.as_str().unwrap_or_default();
            assert!(text.parse::<f64>().is_err(), "{field} in {line}");
            if value.is_number() {
                numbers.insert(field.clone());
            }
        }
    }
    for field in [
        "duration_ms",
        "size_bytes",
        "recordings",
        "requests",
        "sessions",
    ] {
        assert!(numbers.contains(field), "{field} in {numbers:?}");
    }
}
