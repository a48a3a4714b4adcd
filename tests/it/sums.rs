//! `storage_by_room` and `storage_by_day` come to what the archived recordings come to, the odd ones included.

use super::harness::filled::Filled;
use super::harness::sqlite;

const BY_ROOM: &str = "SELECT room_name, count(*), sum(size_bytes), sum(duration_seconds), min(started_at), max(started_at)
    FROM archive GROUP BY room_name ORDER BY room_name";
const BY_DAY: &str =
    "SELECT substr(started_at, 1, 10) AS day, count(*), sum(size_bytes), sum(duration_seconds)
    FROM archive GROUP BY day ORDER BY day";

#[test]
fn the_sums_of_rooms_and_days_are_those_of_the_archived_recordings() {
    let filled = Filled::with_every_state();
    let told = |query| sqlite(&filled.path(), query);
    let assert_sums = || {
        let views = [
            "SELECT * FROM storage_by_room ORDER BY room_name",
            "SELECT * FROM storage_by_day ORDER BY day",
        ];
        assert_eq!(views.map(told), [BY_ROOM, BY_DAY].map(told));
    };
    let change = |statement: &str| {
        let done = std::process::Command::new("sqlite3")
            .arg(filled.path())
            .arg(statement)
            .status();
        assert!(done.expect("sqlite3 is installed").success());
    };
    assert_sums();
    // A second archived recording of the same day, and one of another; one without a start, one without a session.
    for (n, start, session) in [
        (1, "'2026-01-01T23:59:59.999Z'", "session_id"),
        (2, "'2026-01-02T00:00:00.000Z'", "session_id"),
        (3, "NULL", "session_id"),
        (4, "'2026-03-01T00:00:00.000Z'", "NULL"),
    ] {
        change(&format!(
            "INSERT INTO recording (id, session_id, started_at, duration_seconds, first_seen_at, state, path,
                archived_bytes, sha256, archived_at, verified_at, upstream)
             SELECT 'ab{n}' || substr(id, 4), {session}, {start}, {n}.5, first_seen_at, state, '{n}',
                {n}00, printf('%064d', {n}), archived_at, verified_at, '{{}}'
             FROM recording WHERE state = 'archived' ORDER BY row LIMIT 1"
        ));
        assert_sums();
    }
    assert_eq!(told("SELECT count(*) FROM storage_by_room"), "2");
    assert_eq!(told("SELECT count(*) FROM storage_by_day"), "4");
    change("UPDATE recording SET state = 'damaged', damage = 'missing' WHERE state = 'archived'");
    assert_eq!(told("SELECT count(*) FROM storage_by_room"), "0");
}
