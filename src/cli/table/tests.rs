use super::*;

const COLUMNS: [Column; 7] = [
    Id("RECORDING"),
    Time("STARTED (UTC)"),
    Spare("LENGTH"),
    Spare("SIZE"),
    Left("STATE"),
    Text("ROOM"),
    Note("LAST ERROR"),
];

fn rows() -> Vec<[String; 7]> {
    let rows = [
        [
            "d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f",
            "2026-01-01 10:17:00",
            "1 h 2 min",
            "1.4 GiB",
            "archived",
            "weekly meeting of the whole team",
            "",
        ],
        [
            "e369a2a3-751a-4ffb-9ad5-a2002b9f0f3f",
            "2026-01-01 10:51:00",
            "12 min 59 s",
            "9 B",
            "downloading",
            "会議室",
            "the media server answered 503 Service Unavailable, and then nothing more",
        ],
        ["e3", "", "", "", "lost", "a\x1b[2J\nb", ""],
    ];
    rows.map(|row| row.map(str::to_owned)).into()
}

fn at(columns: usize) -> String {
    let text = render(COLUMNS, rows(), Width::Columns(columns));
    for line in text.lines() {
        assert!(super::columns(line) <= columns, "{columns}: {line}");
    }
    text
}

#[test]
fn without_a_terminal_a_table_is_whole() {
    insta::assert_snapshot!(render(COLUMNS, rows(), Width::Full), @r"
    RECORDING                             STARTED (UTC)             LENGTH     SIZE  STATE        ROOM                              LAST ERROR
    d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f  2026-01-01 10:17:00    1 h 2 min  1.4 GiB  archived     weekly meeting of the whole team
    e369a2a3-751a-4ffb-9ad5-a2002b9f0f3f  2026-01-01 10:51:00  12 min 59 s      9 B  downloading  会議室                            the media server answered 503 Service Unavailable, and then nothing more
    e3                                                                               lost         a\u001B[2J\u000Ab
    ");
}

#[test]
fn ids_and_texts_are_shortened_and_notes_go_below() {
    insta::assert_snapshot!(at(120), @r"
    RECORDING  STARTED (UTC)             LENGTH     SIZE  STATE        ROOM
    d369a2a3   2026-01-01 10:17:00    1 h 2 min  1.4 GiB  archived     weekly meeting of the whole team
    e369a2a3   2026-01-01 10:51:00  12 min 59 s      9 B  downloading  会議室
      the media server answered 503 Service Unavailable, and then nothing more
    e3                                                    lost         a\u001B[2J\u000Ab
    ");
    insta::assert_snapshot!(at(80), @r"
    RECORDING  STARTED (UTC)          LENGTH     SIZE  STATE        ROOM
    d369a2a3   2026-01-01 10:17    1 h 2 min  1.4 GiB  archived     weekly meeting…
    e369a2a3   2026-01-01 10:51  12 min 59 s      9 B  downloading  会議室
      the media server answered 503 Service Unavailable, and then nothing more
    e3                                                 lost         a\u001B[2J\u000…
    ");
}

#[test]
fn on_a_narrow_terminal_columns_are_left_out() {
    insta::assert_snapshot!(at(40), @r"
    RECORDING  STATE        ROOM
    d369a2a3   archived     weekly meeting…
    e369a2a3   downloading  会議室
      the media server answered 503 Service
      Unavailable, and then nothing more
    e3         lost         a\u001B[2J\u000…
    ");
}

#[test]
fn no_line_is_ever_wider_than_the_terminal() {
    // A wide character and its indentation need 4.
    for columns in 4..200 {
        at(columns);
    }
}

#[test]
fn ids_stay_long_enough_to_be_told_apart() {
    let rows = [
        "d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f",
        "d369a2a3-751b-4ffb-9ad5-a2002b9f0f3f",
    ];
    let rows = rows.map(|id| [id.to_owned(), "x".repeat(30)]);
    let text = render([Id("ID"), Left("X")], rows, Width::Columns(60));
    assert!(text.contains("\nd369a2a3-751a  x"), "{text}");
}

#[test]
fn a_rare_column_is_there_only_if_a_row_has_something_in_it() {
    let table = |next: &str| {
        let rows = [["a", next, "x"], ["b", "", ""]].map(|row| row.map(str::to_owned));
        let columns = [Left("ID"), Rare("NEXT ATTEMPT"), Text("ROOM")];
        [Width::Full, Width::Columns(40)].map(|width| render(columns, rows.clone(), width))
    };
    assert_eq!(table(""), ["ID  ROOM\na   x\nb\n"; 2]);
    let shown = "ID  NEXT ATTEMPT  ROOM\na   in 5 s        x\nb\n";
    assert_eq!(table("in 5 s"), [shown; 2]);
}
