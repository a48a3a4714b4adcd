//! How SQLite goes about the store's statements: one about given ids must not look at all recordings.

use std::path::Path;

use room_archiver::store::{Access, Store};
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};

use super::harness::collect;

/// The statements of the store that are literals; those put together from pieces name their indexes.
fn statements() -> Vec<String> {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let (mut files, mut found) = (Vec::new(), Vec::new());
    collect(&store, &mut files);
    for file in files {
        let source = std::fs::read_to_string(file).unwrap();
        let texts = source.split('"').skip(1).step_by(2);
        let is_sql = |text: &&str| {
            let mut verbs = ["SELECT ", "UPDATE ", "INSERT ", "DELETE "].iter();
            verbs.any(|verb| text.starts_with(verb)) && !text.contains('{')
        };
        found.extend(texts.filter(is_sql).map(str::to_owned));
    }
    assert!(found.len() > 50, "only {} statements", found.len());
    found
}

#[tokio::test]
async fn statements_about_given_ids_do_not_look_at_all_recordings() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("archive.db");
    Store::open(&path, Access::Write)
        .await
        .unwrap()
        .close()
        .await;
    let mut database = SqliteConnection::connect(path.to_str().unwrap())
        .await
        .unwrap();
    let mut looked_at = 0;
    let mut bad = Vec::new();
    for statement in statements() {
        if !statement.contains("json_each(?") || statement.contains("temp.") {
            continue;
        }
        looked_at += 1;
        let explain = format!("EXPLAIN QUERY PLAN {statement}");
        let plan = sqlx::query(AssertSqlSafe(explain))
            .fetch_all(&mut database)
            .await
            .unwrap();
        for step in plan {
            let step: String = step.get("detail");
            if step.contains("recording_state") || step.contains("SCAN r") {
                bad.push(format!("{step}:\n{statement}"));
            }
        }
    }
    assert!(looked_at > 10, "only {looked_at} statements");
    assert!(bad.is_empty(), "{}", bad.join("\n\n"));
}
