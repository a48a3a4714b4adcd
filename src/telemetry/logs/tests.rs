use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use tracing::{debug, info, info_span, trace, warn};

use super::*;

/// What `log` writes in a style at a level.
fn written(level: LevelFilter, style: Style, log: impl FnOnce(&Logs)) -> String {
    let text = Arc::new(Mutex::new(Vec::new()));
    let sink = {
        let text = Arc::clone(&text);
        move |line: &[u8]| {
            let mut text = text.lock().unwrap_or_else(PoisonError::into_inner);
            text.extend_from_slice(line);
        }
    };
    let clock = Clock::manual("2026-11-23T20:02:27.123456Z".parse().expect("a time"));
    let (subscriber, logs) = build(level, style, clock, Arc::new(sink));
    tracing::subscriber::with_default(subscriber, || log(&logs));
    let text = text.lock().unwrap_or_else(PoisonError::into_inner).clone();
    String::from_utf8(text).expect("text")
}

const T: &str = "room_archiver::telemetry::logs::tests";

#[test]
fn text_lines_carry_time_level_message_and_dotted_fields() {
    let text = written(LevelFilter::INFO, Style::Text, |_| {
        info!(recording.id = "abc", size_bytes = 7, "recording archived");
    });
    assert_eq!(
        text,
        format!(
            "2026-11-23T20:02:27.123Z  INFO {T}: recording archived \
             recording.id=\"abc\" size_bytes=7\n"
        )
    );
}

#[test]
fn journal_lines_carry_a_priority_and_no_time() {
    let text = written(LevelFilter::DEBUG, Style::Journal, |_| {
        error!("a");
        warn!("b");
        info!("c");
        debug!(recording.id = 1, "d");
    });
    assert_eq!(
        text,
        format!("<3>{T}: a\n<4>{T}: b\n<6>{T}: c\n<7>{T}: d recording.id=1\n")
    );
}

#[test]
fn json_lines_are_one_object_each_with_the_fields_flat() {
    let text = written(LevelFilter::INFO, Style::Json, |_| {
        info!(recording.id = "abc", size_bytes = 7, "recording archived");
        info!("next");
    });
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 2);
    let expected = serde_json::json!({
        "timestamp": "2026-11-23T20:02:27.123Z",
        "level": "INFO",
        "target": T,
        "message": "recording archived",
        "recording.id": "abc",
        "size_bytes": 7,
    });
    assert_eq!(lines[0], expected);
}

/// A room's name that would forge a line, colour a terminal and turn text around.
const NASTY: &str = "x\n<0>forged\r\x1b[2J\u{9b}1m\u{202e}gpj\u{200b}\u{e0041}\0";

#[test]
fn nothing_foreign_reaches_a_terminal_or_forges_a_line() {
    for style in [Style::Journal, Style::Text, Style::Json] {
        let text = written(LevelFilter::INFO, style, |_| {
            let span = info_span!("pass", room = %NASTY);
            let _in = span.enter();
            info!(room = %NASTY, "seen {NASTY}");
        });
        assert_eq!(text.matches('\n').count(), 1, "{style:?}: {text:?}");
        let bare = text.trim_end_matches('\n');
        assert_eq!(escape::line(bare), bare, "{style:?}");
        assert!(bare.contains("forged"), "{style:?}: nothing is lost");
    }
}

#[test]
fn escaped_json_still_says_the_same() {
    let text = written(LevelFilter::INFO, Style::Json, |_| {
        info!(room = NASTY, "seen");
    });
    let line: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(line["room"], NASTY);
}

#[test]
fn libraries_are_capped_whatever_our_level_is() {
    let text = written(LevelFilter::TRACE, Style::Journal, |_| {
        trace!("ours");
        info!(target: "reqwest::connect", "a link");
        debug!(target: "hyper_util::client", "a link");
        warn!(target: "sqlx::query", "slow statement: SELECT");
        warn!(target: "hyper", "worth it");
    });
    assert_eq!(text, format!("<7>{T}: ours\n<4>hyper: worth it\n"));
    let text = written(LevelFilter::ERROR, Style::Journal, |_| {
        warn!(target: "hyper", "quiet means quiet");
    });
    assert_eq!(text, "");
}

#[test]
fn the_level_can_be_changed_while_running() {
    let text = written(LevelFilter::INFO, Style::Journal, |logs| {
        for round in 0..2 {
            debug!(round, "detail");
            logs.set_level(LevelFilter::DEBUG).expect("a subscriber");
        }
    });
    assert_eq!(text, format!("<7>{T}: detail round=1\n"));
}

#[test]
fn the_journal_is_known_by_device_and_inode() {
    let file = tempfile::tempfile().expect("a file");
    let meta = file.metadata().expect("its data");
    let is = |text: &str| is_journal(Some(OsStr::new(text)), &file);
    assert!(is(&format!("{}:{}", meta.dev(), meta.ino())));
    assert!(!is(&format!("{}:{}", meta.dev(), meta.ino() + 1)));
    assert!(!is(&format!("{}:{}", meta.dev() + 1, meta.ino())));
    assert!(!is(""));
    assert!(!is("8:x"));
    assert!(!is_journal(None, &file));
}
