//! On a real terminal: nothing wraps, progress has a total, and Ctrl-C leaves a clean line.

use super::harness::filled::Filled;
use super::harness::{MIB, Other, Screen, Setting, Shown, media, sqlite_write};

fn binary() -> String {
    assert_cmd::cargo::cargo_bin!("room-archiver")
        .display()
        .to_string()
}

fn shown(filled: &Filled, columns: u16, args: &[&str]) -> Shown {
    let (binary, config) = (binary(), filled.path().with_file_name("config.toml"));
    let program = [
        &[binary.as_str(), "--config", config.to_str().expect("text")],
        args,
    ]
    .concat();
    let shown = Screen::start(&program, &[], columns).end();
    assert!(shown.status.success(), "{}", shown.raw);
    shown
}

#[test]
fn no_table_wraps_whatever_the_rooms_are_called() {
    let filled = Filled::with_every_state();
    for room in [
        "the weekly meeting of everybody who has something to say about the next quarter",
        "会議室会議室会議室会議室会議室会議室会議室会議室会議室会議室会議室会議室会議室",
        "🎥👩‍👩‍👧‍👦🏳️‍🌈🇩🇪👍🏽 stand-up 🎥👩‍👩‍👧‍👦🏳️‍🌈🇩🇪👍🏽 stand-up 🎥👩‍👩‍👧‍👦🏳️‍🌈🇩🇪👍🏽",
        "פגישה שבועית של כל הצוות بالعربية أيضا وهذا اسم طويل جدا لغرفة واحدة فقط",
        "e\u{301}\u{302}\u{303} combining e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}",
    ] {
        let statement = format!("UPDATE session SET room_name = '{room}'");
        sqlite_write(&filled.path(), &statement);
        for columns in [40, 80, 120] {
            for args in [&["list"][..], &["status"], &["list", "--state", "lost"]] {
                shown(&filled, columns, args).lines();
            }
        }
        let (piped, _) = filled.output(0, &["list"]);
        let lines = shown(&filled, 80, &["list"]).lines();
        assert_eq!(lines.len(), piped.lines().count());
        assert!(lines[1].starts_with("11111111  "), "{}", lines[1]);
        assert!(
            piped.contains("\n11111111-1111-1111-1111-111111111111  "),
            "{piped}"
        );
    }
    // In full, if asked for: then it wraps.
    let wide = shown(&filled, 40, &["list", "--wide"]).screen.contents();
    assert!(
        wide.contains("11111111-1111-1111-1111-111111111111"),
        "{wide}"
    );
}

#[test]
fn a_narrow_terminal_keeps_what_matters() {
    let filled = Filled::with_every_state();
    let lines = shown(&filled, 40, &["list", "--state", "archived"]).lines();
    assert_eq!(
        lines,
        [
            "RECORDING  STARTED     STATE     ROOM",
            "11111111   2026-01-01  archived  standup"
        ]
    );
}

/// A run on a terminal that downloads slowly.
fn slow(args: &[&str]) -> (Setting, Screen) {
    let setting = Setting::with("[download]\nbandwidth_limit = \"256KiB\"\n");
    for _ in 0..3 {
        setting.add_media(&media(2 * MIB));
    }
    let (binary, config) = (binary(), setting.config_file());
    let program = [
        &[binary.as_str(), "--config", config.to_str().expect("text")],
        args,
    ]
    .concat();
    let token = setting.space.token();
    let terminal = Screen::start(&program, &[("ROOM_ARCHIVER_API_TOKEN", &token)], 80);
    (setting, terminal)
}

#[test]
fn ctrl_c_during_downloads_leaves_a_clean_line() {
    let (_setting, mut terminal) = slow(&["once"]);
    let line = |screen: &vt100::Screen, text: &str| {
        let mut rows = screen.rows(0, 80);
        rows.find(|row| row.contains(text)).unwrap_or_default()
    };
    terminal.until("a total with its ETA", |screen| {
        screen.contents().contains("  ETA ")
    });
    terminal.until("the current files", |screen| {
        line(screen, "lesson").contains(" of 2.0 MiB")
    });
    terminal.types("\x03");
    let shown = terminal.end();
    // Recordings that are completed upstream are not archived.
    assert_eq!(shown.status.code(), Some(4), "{}", shown.raw);
    assert!(!shown.screen.hide_cursor(), "{}", shown.raw);
    let lines = shown.lines();
    assert!(
        lines[0]
            .trim_start_matches("^C")
            .starts_with("poll complete: "),
        "{lines:#?}"
    );
    let text = lines.join("\n");
    assert!(text.contains("left to do: 3 recordings"), "{text}");
    assert!(!text.contains("ETA") && !text.contains("[="), "{text}");
    assert_eq!(
        shown.screen.cursor_position().1,
        0,
        "the next prompt is on a line of its own"
    );
}

#[test]
fn a_second_ctrl_c_ends_it_at_once_on_a_line_of_its_own() {
    let (_setting, mut terminal) = slow(&["once"]);
    terminal.until("the current files", |screen| {
        screen.contents().contains(" of 2.0 MiB")
    });
    terminal.types("\x03\x03");
    let shown = terminal.end();
    assert!(
        matches!(shown.status.code(), Some(1 | 4)),
        "{:?}",
        shown.status
    );
    assert!(!shown.screen.hide_cursor(), "{}", shown.raw);
    assert_eq!(shown.screen.cursor_position().1, 0, "{}", shown.raw);
}

/// A verification of a file that takes long to read, as soon as its progress is shown.
fn verifying(setting: &Setting) -> Screen {
    const SIZE: u64 = 16 << 30;
    // One hole: it takes no room.
    let file = std::fs::File::options()
        .write(true)
        .open(&setting.files()[0]);
    file.and_then(|file| file.set_len(SIZE)).expect("a file");
    setting.write_sql(&format!("UPDATE recording SET archived_bytes = {SIZE}"));
    let (binary, config) = (binary(), setting.config_file());
    let config = config.to_str().expect("text");
    let mut terminal = Screen::start(&[&binary, "--config", config, "verify", "--full"], &[], 80);
    terminal.until("a bar for the file, and a total with its ETA", |screen| {
        let rows: Vec<_> = screen.rows(0, 80).collect();
        let holds = |text: &str| rows.iter().any(|row| row.contains(text));
        holds(" of 16.0 GiB") && holds("[=") && holds("0 files verified") && holds("  ETA ")
    });
    terminal
}

#[test]
fn ctrl_c_during_a_verification_leaves_a_clean_line() {
    let setting = Setting::archived();
    let mut terminal = verifying(&setting);
    terminal.types("\x03");
    let shown = terminal.end();
    assert_eq!(shown.status.code(), Some(1), "{}", shown.raw);
    assert!(!shown.screen.hide_cursor(), "{}", shown.raw);
    let text = shown.lines().join("\n");
    assert!(text.contains("stopped"), "{text}");
    assert!(!text.contains("ETA") && !text.contains("[="), "{text}");
    assert_eq!(shown.screen.cursor_position().1, 0, "{}", shown.raw);
    assert_eq!(setting.count("archive"), "1");
}

#[test]
fn a_second_ctrl_c_ends_a_verification_that_can_not_end_in_order() {
    let setting = Setting::archived();
    let terminal = verifying(&setting);
    // Another program keeps it from writing down how far it got.
    let other = Other::begin(&setting.database, "BEGIN IMMEDIATE;");
    let shown = terminal.interrupt();
    drop(other);
    assert_eq!(shown.status.code(), Some(1), "{}", shown.raw);
    assert!(!shown.screen.hide_cursor(), "{}", shown.raw);
    // The last key may be echoed when nobody reads it any more.
    let row = usize::from(shown.screen.cursor_position().0);
    let row = shown.screen.rows(0, 80).nth(row).unwrap_or_default();
    assert_eq!(row.replace("^C", ""), "", "{}", shown.raw);
    // Neither a result nor that it waited in vain for the database.
    let text = shown.screen.contents();
    assert!(
        !text.contains("stopped") && !text.contains("error"),
        "{text}"
    );
}

#[test]
fn verify_shows_its_result_on_a_clean_line() {
    let setting = Setting::archived();
    let (binary, config) = (binary(), setting.config_file());
    let config = config.to_str().expect("text");
    let shown = Screen::start(&[&binary, "--config", config, "verify", "--full"], &[], 80).end();
    assert_eq!(shown.status.code(), Some(0), "{}", shown.raw);
    let lines = shown.lines();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].starts_with("verified 1 file ("), "{lines:#?}");
}
