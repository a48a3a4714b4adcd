//! Logging of a whole process, stderr included: each case runs in a child of its own.

use std::process::Stdio;

use room_archiver::clock::Clock;
use room_archiver::telemetry::logs::{LogError, LogFormat, Logs};
use tracing::level_filters::LevelFilter;

use crate::alone;

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
