//! `list` and `show` show every recording there is, in order, as they were asked to, and obey nobody.

use std::process::Stdio;

use chrono::TimeDelta;
use room_archiver::model::{Recording, State, UpstreamStatus};
use uuid::Uuid;

use super::harness::filled::{
    ARCHIVED, DAMAGED, DOWNLOADING, FAILED, Filled, LOST, NO_LINK, OLD, PENDING, SKIPPED, STUCK,
    WAITING, at, recording,
};

#[test]
fn list_filters_by_room_state_and_start() {
    let filled = Filled::with_every_state();
    let ids = |args: &[&str]| -> Vec<String> {
        let rows = filled.json(&[&["list", "--format", "json"], args].concat());
        let rows = rows.as_array().expect("a list").iter();
        rows.map(|row| row["recording_id"].as_str().expect("a text").to_owned())
            .collect()
    };
    let named = |numbers: &[u8]| {
        numbers
            .iter()
            .map(|n| recording(*n).to_string())
            .collect::<Vec<_>>()
    };
    let all = [
        ARCHIVED,
        FAILED,
        LOST,
        NO_LINK,
        DAMAGED,
        DOWNLOADING,
        PENDING,
        STUCK,
        WAITING,
        SKIPPED,
    ];
    assert_eq!(ids(&[]), named(&all));
    assert_eq!(ids(&["--room", "stand*"]), named(&[ARCHIVED]));
    assert_eq!(ids(&["--room", "STAND*"]), named(&[]));
    assert_eq!(ids(&["--room", "team*"]), named(&all[1..]));
    assert_eq!(
        ids(&["--state", "lost", "--state", "pending"]),
        named(&[FAILED, LOST, NO_LINK, PENDING])
    );
    // 0x99 minutes after ten o'clock: the very start is in.
    assert_eq!(
        ids(&["--since", "2026-01-01T12:33:00Z"]),
        named(&[WAITING, SKIPPED])
    );
    filled.output(2, &["list", "--room", "[a"]);
    assert_eq!(
        ids(&[
            "--since",
            "2026-01-01T13:33+01:00",
            "--until",
            "2026-01-01 12:33"
        ]),
        named(&[WAITING])
    );
    assert_eq!(
        ids(&["--until", "2026-01-01"]),
        named(&all),
        "the whole day"
    );
    assert_eq!(ids(&["--until", "2025-12-31"]), named(&[]));
    assert_eq!(ids(&["--since", "2 weeks", "--until", "1h"]), named(&[]));
    assert_eq!(
        ids(&["--limit", "2"]),
        named(&[WAITING, SKIPPED]),
        "the newest"
    );
    assert_eq!(
        ids(&["--limit", "2", "--until", "2026-01-01T11:00Z"]),
        named(&[FAILED, LOST])
    );
    assert_eq!(
        ids(&["--limit", "100", "--session", "01"]),
        named(&[ARCHIVED])
    );
    let (_, error) = filled.output(
        2,
        &["list", "--since", "2026-02-01", "--until", "2026-01-01"],
    );
    assert_eq!(error, "error: --since is later than --until\n");
}

#[test]
fn the_table_lines_up_and_obeys_nobody() {
    let filled = Filled::with_every_state();
    let (table, _) = filled.output(0, &["list", "--state", "archived,lost"]);
    insta::assert_snapshot!(table, @r"
    RECORDING                             STARTED (UTC)           LENGTH     SIZE  STATE     ROOM
    11111111-1111-1111-1111-111111111111  2026-01-01 10:17:00  1 min 1 s  4.0 KiB  archived  standup
    33333333-3333-3333-3333-333333333333  2026-01-01 10:51:00  1 min 1 s  2.0 KiB  lost      team\u001B[2J\u000Aforged
    ");
    let (wide, _) = filled.output(0, &["list", "--state", "archived", "--wide"]);
    let path = "standup/11111111-1111-1111-1111-111111111111.mp4";
    assert!(
        wide.contains("01010101-0101-0101-0101-010101010101"),
        "{wide}"
    );
    assert!(wide.contains(path), "{wide}");
    let (csv, _) = filled.output(0, &["list", "--state", "archived", "--format", "csv"]);
    insta::assert_snapshot!(csv, @"
    recording_id,session_id,room_name,state,started_at,duration_seconds,size_bytes,path,last_error
    11111111-1111-1111-1111-111111111111,01010101-0101-0101-0101-010101010101,standup,archived,2026-01-01T10:17:00.000Z,61.5,4096,standup/11111111-1111-1111-1111-111111111111.mp4,
    ");
}

#[test]
fn long_lists_have_every_row_once_in_order() {
    const ROWS: u128 = 4_500; // more than two pages
    let filled = Filled::empty();
    // Many at the same time, and many without one.
    let page: Vec<_> = (1..=ROWS)
        .map(|n| Recording {
            id: Uuid::from_u128(n * 0x9e37_79b9_7f4a_7c15).into(),
            session_id: None,
            status: UpstreamStatus::Completed,
            started_at: (n % 3 > 0).then(|| at(OLD) + TimeDelta::days(i64::from(n % 3 == 2))),
            finished_at: None,
            duration_seconds: None,
            size_bytes: None,
            format: None,
            cost_in_dollars: None,
            created_at: None,
            updated_at: None,
            upstream: "{}".to_owned(),
        })
        .collect();
    filled.with(async |store| {
        let change = room_archiver::model::Change {
            state: State::Pending,
            skip_reason: None,
            changed_after_archiving: false,
            other_session: false,
            another_chance: false,
        };
        let plan = |_: &_, _: Option<&_>, _: &_| Some(change.clone());
        store
            .apply_recordings(&page, at(OLD), None, &plan)
            .await
            .expect("a page");
    });
    let keys = |args: &[&str]| -> Vec<(String, String)> {
        let rows = filled.json(args);
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let rows = rows.as_array().expect("a list").iter();
        rows.map(|row| (text(&row["started_at"]), text(&row["recording_id"])))
            .collect()
    };
    let all = keys(&["list", "--format", "json"]);
    assert_eq!(all.len() as u128, ROWS);
    assert!(
        all.is_sorted_by(|one, next| one < next),
        "each once, in order"
    );
    let since = keys(&["list", "--format", "json", "--since", "2026-01-02"]);
    assert_eq!(since, all[3_000..]);
}

#[test]
fn a_reader_that_leaves_ends_a_list_quietly() {
    let filled = Filled::with_every_state();
    for format in ["table", "json", "csv"] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = std::process::Command::new(assert_cmd::cargo::cargo_bin!("room-archiver"))
            .args(["list", "--format", format])
            .env_clear()
            .env(
                "ROOM_ARCHIVER_CONFIG",
                filled.path().with_file_name("config.toml"),
            )
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .expect("the program");
        assert_eq!(output.status.code(), Some(0), "{format}");
        assert_eq!(crate::text(&output.stderr), "", "{format}");
    }
}

#[test]
fn show_tells_everything_of_one_recording() {
    let filled = Filled::with_every_state();
    let (text, _) = filled.output(0, &["show", &recording(DAMAGED).to_string()]);
    // Ages move on with the clock.
    let still: String = text
        .lines()
        .flat_map(|line| [line.split("  (").next().unwrap_or_default(), "\n"])
        .collect();
    insta::assert_snapshot!(still, @r#"
    Recording
    recording_id         55555555-5555-5555-5555-555555555555
    state                damaged
    damage               altered
    path                 standup/55555555-5555-5555-5555-555555555555.mp4
    file                 /var/lib/room-archiver/recordings/standup/55555555-5555-5555-5555-555555555555.mp4
    archived_bytes       4096
    sha256               aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    archived_at          2026-01-01T12:00:00.000Z
    verified_at          2026-01-01T12:00:00.000Z
    upstream_status      completed
    started_at           2026-01-01T11:25:00.000Z
    duration_seconds     61.5
    size_bytes           2048
    format               video/mp4
    first_seen_at        2026-01-01T12:00:00.000Z
    completed_seen_at    2026-01-01T12:00:00.000Z
    pending_since        2026-01-01T12:00:00.000Z
    attempts             1

    Session
    session_id           02020202-0202-0202-0202-020202020202
    room_name            team\u001B[2J\u000Aforged
    status               completed
    start_time           2026-01-01T10:00:00.000Z
    end_time             2026-01-01T11:00:00.000Z
    first_seen_at        2026-01-01T12:00:00.000Z
    next_list_at         2026-01-01T12:00:00.000Z

    Attempts
    #  STARTED (UTC)        TOOK  FROM  RECEIVED  HTTP  OUTCOME   ERROR
    1  2026-01-01 12:00:00   0 s   0 B       0 B        archived

    Events
    AT (UTC)             KIND    TEXT
    2026-01-01 12:00:00  damage  the archived file is altered

    As SignalWire describes it
    {
      "id": "x",
      "note": "a\u001b[2Jb\u202Ec"
    }
    "#);
    assert!(text.contains("2026-01-01T12:00:00.000Z  ("), "{text}");
    assert!(text.contains("4096  (4.0 KiB)"), "{text}");

    let (_, error) = filled.output(1, &["show", &recording(0xff).to_string()]);
    assert!(
        error.starts_with("error: no recording ffffffff-ffff-ffff-ffff-ffffffffffff is known"),
        "{error}"
    );
}

#[test]
fn no_cell_of_the_csv_is_a_formula_and_each_text_can_be_got_back() {
    let names = [
        "=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'quoted", "a=b", "", "'=1",
    ];
    let filled = Filled::with_rooms(&names);
    let csv = filled.output(0, &["list", "--format", "csv"]).0;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let mut found = Vec::new();
    for record in reader.records() {
        let record = record.expect("a record");
        for cell in &record {
            assert!(
                !cell.starts_with(['=', '+', '-', '@', '\t', '\r']),
                "{cell:?}"
            );
        }
        let cell = &record[2];
        found.push(cell.strip_prefix('\'').unwrap_or(cell).to_owned());
    }
    found.sort_unstable();
    let mut names = names.map(str::to_owned);
    names.sort_unstable();
    assert_eq!(found, names);
    // JSON is exact anyway.
    let json = filled.json(&["list", "--format", "json"]);
    assert!(
        json.as_array()
            .expect("a list")
            .iter()
            .any(|row| row["room_name"] == "=1+2")
    );
}
