//! How SQLite runs the store's statements: one about given ids must not look at all recordings.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};

use super::*;

/// The statements of each module.
fn modules() -> Vec<&'static [&'static str]> {
    let nested = [
        copies::STATEMENTS,
        discovery::STATEMENTS,
        file::STATEMENTS,
        outbox::STATEMENTS,
        read::STATEMENTS,
        work::STATEMENTS,
    ];
    let top = [
        evictions::STATEMENTS,
        facts::STATEMENTS,
        files::STATEMENTS,
        meta::STATEMENTS,
        restore::STATEMENTS,
        sidecars::STATEMENTS,
    ];
    nested.concat().into_iter().chain(top).collect()
}

/// The source files of the store besides this one.
fn sources(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(sources(&path));
        } else if !path.ends_with("tests.rs") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
    found
}

#[test]
fn every_statement_is_listed() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let sources = sources(&directory);
    let lists = |source: &&String| source.contains("\nstatements! {\n");
    assert_eq!(sources.iter().filter(lists).count(), modules().len());
    for source in &sources {
        let mut calls = source.split("sqlx::query").skip(1);
        let mut raw = source.split("sqlx::raw_sql").skip(1);
        let is_literal = |call: &str| {
            let argument = call.split_once('(').map_or("", |(_, argument)| argument);
            argument.trim_start().starts_with('"')
        };
        let literal = calls
            .find(|call| is_literal(call))
            .or_else(|| raw.find(|call| is_literal(call)));
        assert_eq!(literal, None, "a statement outside of statements!");
    }
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
    let (mut looked_at, mut bad) = (0, Vec::new());
    for statement in modules().concat() {
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
