//! The sums of `storage_by_room` and `storage_by_day` are kept, not added up at each query: they must come
//! to the same whatever happens to the recordings.

use room_archiver::model::{Session, SessionStatus};
use room_archiver::store::Store;

use super::harness::filled::{ARCHIVED, COMPLETE, Filled, at, recording, session};
use super::harness::sqlite;

const BY_ROOM: &str = "SELECT room_name, count(*), sum(size_bytes), sum(duration_seconds), min(started_at), max(started_at)
    FROM archive GROUP BY room_name ORDER BY room_name";
const BY_DAY: &str =
    "SELECT substr(started_at, 1, 10) AS day, count(*), sum(size_bytes), sum(duration_seconds)
    FROM archive GROUP BY day ORDER BY day";

/// Holds the views against the recordings themselves, before and after the sums were reckoned anew.
fn assert_sums(filled: &Filled) {
    for refreshed in [false, true] {
        let told = |query| sqlite(&filled.path(), query);
        let views = [
            "SELECT * FROM storage_by_room ORDER BY room_name",
            "SELECT * FROM storage_by_day ORDER BY day",
        ];
        assert_eq!(views.map(told), [BY_ROOM, BY_DAY].map(told));
        if !refreshed {
            filled.with(async |store| store.refresh_storage().await.expect("a database"));
            let stale = "SELECT count(*) FROM storage_stale";
            assert_eq!(told(stale), "0");
        }
    }
}

async fn rename(store: &Store, name: Option<&str>) {
    let renamed = Session {
        id: session(COMPLETE),
        room_name: name.map(str::to_owned),
        status: SessionStatus::Completed,
        start_time: None,
        end_time: None,
        created_at: None,
        updated_at: None,
        upstream: format!("{{\"name\":{name:?}}}"),
    };
    store
        .apply_sessions(&[renamed], at("2026-02-01T00:00:00.000Z"), None)
        .await
        .expect("a database");
}

#[test]
fn the_sums_of_rooms_and_days_follow_whatever_happens() {
    let filled = Filled::with_every_state();
    let change = |statement: &str| {
        let statement = statement.to_owned();
        let path = filled.path();
        let done = std::process::Command::new("sqlite3")
            .arg(path)
            .arg(statement)
            .status();
        assert!(done.expect("sqlite3 is installed").success());
    };
    assert_sums(&filled);
    // A second archived recording of the same day, and one of another; one without a start, one without a session.
    for n in 1..=4 {
        let start = [
            "'2026-01-01T23:59:59.999Z'",
            "'2026-01-02T00:00:00.000Z'",
            "NULL",
            "'2026-03-01T00:00:00.000Z'",
        ][n - 1];
        let of = if n == 4 { "NULL" } else { "session_id" };
        change(&format!(
            "INSERT INTO recording (id, session_id, started_at, duration_seconds, first_seen_at, state, upstream)
             SELECT 'ab{n}' || substr(id, 4), {of}, {start}, {n}.5, first_seen_at, 'downloading', '{{}}' FROM recording
             WHERE state = 'archived' LIMIT 1;
             UPDATE recording SET state = 'archived', path = '{n}', archived_bytes = {n}00, sha256 = printf('%064d', {n}),
                archived_at = first_seen_at, verified_at = first_seen_at WHERE state = 'downloading' AND id LIKE 'ab{n}%'"
        ));
        assert_sums(&filled);
    }
    filled.with(async |store| rename(store, Some("another name")).await);
    assert_sums(&filled);
    filled.with(async |store| rename(store, None).await);
    assert_sums(&filled);
    change(
        "UPDATE recording SET duration_seconds = 99, started_at = '2026-01-05T00:00:00.000Z' WHERE path = '1'",
    );
    assert_sums(&filled);
    filled.with(async |store| {
        let now = at("2026-02-02T00:00:00.000Z");
        let damaged = store.verified(recording(ARCHIVED), Some("altered"), now);
        damaged.await.expect("a database");
    });
    assert_sums(&filled);
    change("UPDATE recording SET state = 'damaged', damage = 'missing' WHERE state = 'archived'");
    assert_sums(&filled);
    assert_eq!(
        sqlite(&filled.path(), "SELECT count(*) FROM storage_by_room"),
        "0"
    );
}
