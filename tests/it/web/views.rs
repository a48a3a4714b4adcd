//! The page reads nothing but the public views, those of docs/queries.md.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use futures::FutureExt as _;
use room_archiver::clock::Clock;
use room_archiver::web::{Listener, Options, Trust, serve};
use tokio_util::sync::CancellationToken;

use super::Answer;
use super::lists::filled;
use crate::harness::{Setting, sqlite, sqlite_write};

const QUERIES: &str = include_str!("../../../docs/queries.md");
/// Besides views: a function of SQLite, and a table that a statement defines for itself.
const NO_TABLES: [&str; 2] = ["json_each", "name"];
const HIDDEN: &str = "hidden_";

fn public_views() -> BTreeSet<&'static str> {
    let sections = QUERIES.lines().filter_map(|line| line.strip_prefix("### "));
    sections.collect()
}

/// The page of a database, with a clock that stands still, so that it shows the same at each time.
struct Served {
    address: String,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    fn of(database: PathBuf, archive: PathBuf) -> Self {
        let stop = CancellationToken::new();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address").to_string();
        let options = Options {
            database,
            archive,
            trust: Trust::default(),
            // Health is the program's part and reads private tables.
            judge: Arc::new(|| async { Ok(Vec::new()) }.boxed()),
            clock: Clock::manual(crate::harness::filled::at("2026-03-01T00:00:00.000Z")),
        };
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
                serve(options, vec![Listener::Tcp(listener)], stopped).await;
            });
        });
        Self {
            address,
            stop,
            thread: Some(thread),
        }
    }

    /// A page, when what it counts in the background is there.
    fn get(&self, path: &str) -> Answer {
        loop {
            let answer = Answer::of(&self.address, path);
            if !answer.text().contains("being counted") {
                return answer;
            }
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
        _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A copy of the database in which nothing but the public views has its name.
fn with_private_names_hidden(setting: &Setting) -> PathBuf {
    let copy = setting.directory.path().join("hidden.db");
    setting.sql(&format!("VACUUM INTO '{}'", copy.display()));
    let names = |kind: &str| {
        let query = format!("SELECT name FROM sqlite_schema WHERE type = '{kind}'");
        let names = sqlite(&copy, &query);
        names.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    // Of the views, this changes what they read.
    for table in names("table") {
        if !table.starts_with("sqlite_") {
            sqlite_write(
                &copy,
                &format!("ALTER TABLE \"{table}\" RENAME TO {HIDDEN}{table}"),
            );
        }
    }
    let public = public_views();
    for view in names("view") {
        if !public.contains(view.as_str()) {
            let renamed = format!(
                "PRAGMA writable_schema = ON;
                 UPDATE sqlite_schema SET sql = replace(sql, ' {view}', ' {HIDDEN}{view}') WHERE type = 'view';
                 UPDATE sqlite_schema SET name = '{HIDDEN}{view}', tbl_name = '{HIDDEN}{view}' WHERE name = '{view}'"
            );
            sqlite_write(&copy, &renamed);
        }
    }
    let tables = names("table").into_iter().chain(names("view"));
    let left: BTreeSet<String> = tables
        .filter(|name| !name.starts_with(HIDDEN) && !name.starts_with("sqlite_"))
        .collect();
    assert_eq!(left, public.into_iter().map(str::to_owned).collect());
    copy
}

#[test]
fn the_page_shows_the_same_of_a_database_whose_private_tables_and_views_are_hidden() {
    let setting = filled();
    setting.write_sql(
        "INSERT INTO concern VALUES ('10000000-0000-4000-8000-000000000004', 'size', 'odd', '2026-01-01T00:00:00.000Z');
         INSERT INTO event (at, kind, recording_id, text)
             VALUES ('2026-01-01T00:00:00.000Z', 'damage', '10000000-0000-4000-8000-000000000004', 'an event');
         INSERT INTO pause VALUES ('host', 'media.test', 'a pause', '2026-01-01T00:00:00.000Z');",
    );
    let hidden = with_private_names_hidden(&setting);
    let archive = setting.directory.path().join("recordings");
    let before = Served::of(setting.database.clone(), archive.clone());
    let after = Served::of(hidden, archive);
    let mut seen = 0;
    for path in [
        "/",
        "/rooms",
        "/recordings",
        "/recordings?state=lost",
        "/recordings?concern=any",
        "/recordings?concern=size&state=archived",
        "/recordings?room=big+%3Cb%3E",
        "/recordings?room=r1&state=archived",
        "/recordings?room=r1&state=lost",
        "/recordings?room=r1&concern=size",
        "/recordings?from=2026-01-05&to=2026-01-08",
        "/recordings?from=2026-01-05&to=2026-01-08&room=r1",
        "/recordings/10000000-0000-4000-8000-000000000004",
        "/recordings/10000000-0000-4000-8000-000000000001",
        "/recordings/99999999-0000-4000-8000-000000000001",
        "/sessions",
        "/sessions?room=r1",
        "/sessions?from=2026-01-05&to=2026-01-08",
        "/sessions?gaps=1",
        "/sessions?gaps=1&room=r2&from=2026-01-05",
        "/sessions/00000000-0000-4000-8000-000000000003",
        "/sessions/99999999-0000-4000-8000-000000000003",
        "/media/10000000-0000-4000-8000-000000000004",
        "/media/10000000-0000-4000-8000-000000000001",
    ] {
        let mut at = Some(path.to_owned());
        while let Some(path) = at {
            let (expected, found) = (before.get(&path), after.get(&path));
            // No file of these is there.
            let missing = path.starts_with("/media/") || path.contains("/99999999-");
            assert_eq!(found.status == 200, !missing, "{path}: {}", found.text());
            assert_eq!(found.status, expected.status, "{path}");
            assert_eq!(found.text(), expected.text(), "{path}");
            let next = found
                .text()
                .split("rel=\"next\" href=\"")
                .nth(1)
                .map(|next| {
                    let next = next
                        .split('"')
                        .next()
                        .expect("an end")
                        .replace("&amp;", "&");
                    match next.strip_prefix('?') {
                        Some(query) => {
                            format!("{}?{query}", path.split('?').next().expect("a path"))
                        }
                        None => next,
                    }
                });
            seen += 1;
            at = next;
        }
    }
    assert!(seen > 100, "only {seen} pages");
}

#[test]
fn every_statement_of_the_page_names_public_views_alone() {
    let allowed: BTreeSet<&str> = public_views().into_iter().chain(NO_TABLES).collect();
    let (mut found, mut files) = (Vec::new(), Vec::new());
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web"),
        &mut files,
    );
    for source in &files {
        let mut words = source.split_whitespace();
        while let Some(word) = words.next() {
            let word = word.trim_start_matches(['"', '(', '{']);
            if ["FROM", "JOIN", "INTO", "UPDATE", "TABLE"].contains(&word) {
                found.push(words.next().unwrap_or_default());
            }
        }
    }
    let named: BTreeSet<&str> = found
        .iter()
        // A select in brackets, or a placeholder for one of the others.
        .filter(|name| !name.starts_with(['(', '{']))
        .map(|name| name.split(['(', ')', '"', ';']).next().unwrap_or_default())
        .collect();
    let private: Vec<_> = named.difference(&allowed).collect();
    assert!(private.is_empty(), "not public: {private:?}");
    for view in [
        "archive",
        "recordings",
        "sessions",
        "gaps",
        "pauses",
        "storage_by_room",
    ] {
        assert!(named.contains(view), "{view} was not found in {named:?}");
    }
}

fn sources(directory: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(std::fs::read_to_string(path).expect("a source"));
        }
    }
}
