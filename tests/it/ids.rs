//! Ids can be given by their first characters, everywhere; what does not lead to one object is said clearly.

use serde_json::json;

use super::harness::filled::{ARCHIVED, FAILED, Filled, PENDING, SKIPPED, recording};
use super::harness::sqlite_write;

/// The recording [`SKIPPED`] begins like [`ARCHIVED`].
fn alike() -> Filled {
    let filled = Filled::with_every_state();
    let statement = format!(
        "UPDATE recording SET id = '11112222-1111-1111-1111-111111111111' WHERE id = '{}'",
        recording(SKIPPED)
    );
    sqlite_write(&filled.path(), &statement);
    filled
}

#[test]
fn the_first_characters_of_an_id_are_enough_where_they_are_unique() {
    let filled = alike();
    let shown = |prefix: &str| {
        filled.json(&["show", prefix, "--json"])["recording"]["recording_id"].clone()
    };
    assert_eq!(shown("5"), json!("55555555-5555-5555-5555-555555555555"));
    assert_eq!(shown("11111"), json!(recording(ARCHIVED).to_string()));
    assert_eq!(
        shown("11112222-11"),
        json!("11112222-1111-1111-1111-111111111111")
    );
    assert_eq!(
        shown("1111222211"),
        json!("11112222-1111-1111-1111-111111111111")
    );

    let (text, _) = filled.output(0, &["retry", "22", "7", "2222"]);
    assert_eq!(
        text,
        format!(
            "{}: was pending; queued\n{}: was pending; queued\n",
            recording(FAILED),
            recording(PENDING)
        )
    );
    let rows = filled.json(&["list", "--session", "01", "--format", "json"]);
    assert_eq!(rows.as_array().map(Vec::len), Some(1));
    let rows = filled.json(&["list", "--session", "0202", "--format", "json"]);
    assert_eq!(rows.as_array().map(Vec::len), Some(9));
}

#[test]
fn several_ids_that_begin_so_are_listed_and_none_is_a_clear_failure() {
    let filled = alike();
    for command in ["show", "retry"] {
        let (out, error) = filled.output(1, &[command, "1111"]);
        assert_eq!(out, "");
        assert_eq!(
            error,
            "error: the ids of several recordings begin with '1111': give more characters\n\
             \x20 11111111-1111-1111-1111-111111111111  2026-01-01 10:17:00  standup\n\
             \x20 11112222-1111-1111-1111-111111111111  2026-01-01 12:50:00  team\\u001B[2J\\u000Aforged\n",
            "{command}"
        );
        let (_, error) = filled.output(1, &[command, "f0"]);
        assert_eq!(
            error,
            "error: no recording is known whose id begins with 'f0'\n"
        );
        let (_, error) = filled.output(1, &[command, "0101"]);
        assert!(
            error.contains("is the id of a session, not of a recording"),
            "{error}"
        );
        filled.output(2, &[command, "%"]);
    }
    let (_, error) = filled.output(1, &["list", "--session", "0"]);
    assert!(
        error.starts_with("error: the ids of several sessions begin with '0'"),
        "{error}"
    );
    let (_, error) = filled.output(1, &["list", "--session", "ff"]);
    assert_eq!(
        error,
        "error: no known session has an id that begins with 'ff'\n"
    );
    // Of several ids, one that leads nowhere is enough: nothing is retried.
    let before = filled.json(&["show", "7", "--json"]);
    filled.output(1, &["retry", "7", "1111"]);
    assert_eq!(
        filled.json(&["show", "7", "--json"])["recording"],
        before["recording"]
    );
}
