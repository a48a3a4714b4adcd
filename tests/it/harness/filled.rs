//! A database filled through the store's own calls, with a recording in every state.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use room_archiver::cli::runtime::block_on;
use room_archiver::model::{
    Change, Recording, RecordingId, Session, SessionId, SessionStatus, State, UpstreamStatus, time,
};
use room_archiver::store::{Access, Claim, Ending, Landed, Order, Retry, Store, Tally};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A directory with a configuration and a database.
pub struct Filled {
    dir: tempfile::TempDir,
}

/// Long ago: stuck, if it still waits.
pub const OLD: &str = "2026-01-01T12:00:00.000Z";

pub fn recording(n: u8) -> RecordingId {
    Uuid::from_bytes([n; 16]).into()
}

pub fn session(n: u8) -> SessionId {
    Uuid::from_bytes([n; 16]).into()
}

pub fn at(text: &str) -> DateTime<Utc> {
    time::parse(text).expect("a time")
}

impl Filled {
    /// Without a database yet.
    pub fn empty() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let config = format!(
            "[signalwire]\nspace = \"example\"\nproject_id = \"7d5b7f9c-2b1e-4c7d-9a52-1f00fa4e0001\"\n[database]\npath = '{}'\n",
            dir.path().join("archive.db").display()
        );
        std::fs::write(dir.path().join("config.toml"), config).expect("a file");
        Self { dir }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("archive.db")
    }

    /// The program with its configuration and without a token.
    pub fn command(&self) -> assert_cmd::Command {
        let mut command = crate::binary();
        command.env("ROOM_ARCHIVER_CONFIG", self.dir.path().join("config.toml"));
        command
    }

    /// The output of a command that ends with `code`.
    pub fn output(&self, code: i32, args: &[&str]) -> (String, String) {
        let done = self.command().args(args).assert().code(code);
        let output = done.get_output();
        let text = |bytes: &[u8]| crate::text(bytes).to_owned();
        (text(&output.stdout), text(&output.stderr))
    }

    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.output(0, args).0).expect("JSON")
    }

    /// Does something with the database, as the daemon would.
    pub fn with<T>(&self, work: impl AsyncFnOnce(&Store) -> T) -> T {
        block_on(async {
            let store = Store::open(&self.path(), Access::Write)
                .await
                .expect("a database");
            let done = work(&store).await;
            store.close().await;
            done
        })
        .expect("a runtime")
    }

    /// One recording in every state, in sessions that are complete, gaps, and running.
    pub fn with_every_state() -> Self {
        let filled = Self::empty();
        filled.with(fill);
        filled
    }

    /// A recording in a room of each of these names.
    pub fn with_rooms(names: &[&str]) -> Self {
        let filled = Self::empty();
        filled.with(async |store| {
            for (n, name) in (1..).zip(names) {
                let session = described(n, name, SessionStatus::Completed);
                let applied = store.apply_sessions(&[session], at(OLD), None).await;
                applied.expect("a session");
                seen(store, n, n, State::Pending, at(OLD)).await;
            }
        });
        filled
    }
}

/// The recordings of [`Filled::with_every_state`], each in the state of its name; those that were tried in vain
/// are pending.
pub const ARCHIVED: u8 = 0x11;
pub const FAILED: u8 = 0x22;
pub const LOST: u8 = 0x33;
pub const NO_LINK: u8 = 0x44;
pub const DAMAGED: u8 = 0x55;
pub const DOWNLOADING: u8 = 0x66;
pub const PENDING: u8 = 0x77;
pub const STUCK: u8 = 0x88;
pub const WAITING: u8 = 0x99;
pub const SKIPPED: u8 = 0xaa;
/// Its only recording is archived.
pub const COMPLETE: u8 = 0x01;
/// It holds all the others.
pub const OPEN: u8 = 0x02;
/// It is over and was never listed.
pub const UNLISTED: u8 = 0x03;
/// People are in it.
pub const RUNNING: u8 = 0x04;

async fn fill(store: &Store) {
    let old = at(OLD);
    let sessions = [
        described(COMPLETE, "standup", SessionStatus::Completed),
        described(OPEN, "team\x1b[2J\nforged", SessionStatus::Completed),
        described(UNLISTED, "retro", SessionStatus::Completed),
        described(RUNNING, "daily", SessionStatus::InProgress),
    ];
    store
        .apply_sessions(&sessions, old, None)
        .await
        .expect("sessions");
    store
        .set_fact("stuck_after_seconds", Some("86400"))
        .await
        .expect("a fact");

    let tally = |error: &str| Tally {
        bytes: 1_000,
        http_status: Some(200),
        error: Some(error.to_owned()),
        ..Tally::default()
    };
    let claim = tried(store, ARCHIVED, COMPLETE).await;
    store
        .end_attempt(&claim, &landed(ARCHIVED), &Tally::default(), old)
        .await
        .expect("archived");
    store
        .session_listed(session(COMPLETE), old, None, true)
        .await
        .expect("listed");

    let claim = tried(store, FAILED, OPEN).await;
    let cut = tally("the file was cut\x1b[31m");
    store
        .end_attempt(&claim, &again(), &cut, old)
        .await
        .expect("to be tried again");
    let claim = tried(store, LOST, OPEN).await;
    store
        .end_attempt(&claim, &Ending::Gone, &tally("not found"), old)
        .await
        .expect("lost");
    let claim = tried(store, NO_LINK, OPEN).await;
    let no_link = Tally {
        error: Some("completed upstream, but without a link".to_owned()),
        ..Tally::default()
    };
    store
        .end_attempt(&claim, &again(), &no_link, old)
        .await
        .expect("no link");
    let claim = tried(store, DAMAGED, OPEN).await;
    store
        .end_attempt(&claim, &landed(DAMAGED), &Tally::default(), old)
        .await
        .expect("archived");
    tried(store, DOWNLOADING, OPEN).await;

    seen(store, PENDING, OPEN, State::Pending, old).await;
    seen(store, STUCK, OPEN, State::Waiting, old).await;
    // Later than the machine's own time: never stuck.
    seen(
        store,
        WAITING,
        OPEN,
        State::Waiting,
        at("2099-01-01T00:00:00Z"),
    )
    .await;
    seen(store, SKIPPED, OPEN, State::Skipped, old).await;
    store
        .verified(recording(DAMAGED), Some("altered"), old)
        .await
        .expect("damaged");
}

fn described(n: u8, room: &str, status: SessionStatus) -> Session {
    let over = status == SessionStatus::Completed;
    Session {
        id: session(n),
        room_name: Some(room.to_owned()),
        status,
        start_time: Some(at("2026-01-01T10:00:00Z")),
        end_time: over.then(|| at("2026-01-01T11:00:00Z")),
        created_at: None,
        updated_at: None,
        upstream: "{}".to_owned(),
    }
}

/// A recording as a pass sees it.
pub async fn seen(store: &Store, n: u8, of: u8, state: State, now: DateTime<Utc>) {
    let status = match state {
        State::Waiting => UpstreamStatus::Processing,
        _ => UpstreamStatus::Completed,
    };
    let seen = Recording {
        id: recording(n),
        session_id: Some(session(of)),
        status,
        started_at: Some(at("2026-01-01T10:00:00Z") + chrono::TimeDelta::minutes(n.into())),
        finished_at: None,
        duration_seconds: Some(61.5),
        size_bytes: Some(2_048),
        format: Some("video/mp4".to_owned()),
        cost_in_dollars: None,
        created_at: None,
        updated_at: None,
        upstream: "{\"id\":\"x\",\"note\":\"a\\u001b[2Jb\u{202e}c\"}".to_owned(),
    };
    let change = Change {
        state,
        skip_reason: (state == State::Skipped).then_some("too short"),
        changed_after_archiving: false,
        other_session: false,
        another_chance: false,
    };
    store
        .apply_recordings(&[seen], now, None, &|_, _, _| Some(change.clone()))
        .await
        .expect("a recording");
}

/// A recording that is being downloaded.
async fn tried(store: &Store, n: u8, of: u8) -> Claim {
    seen(store, n, of, State::Pending, at(OLD)).await;
    let claims = store
        .claim(1, Order::OldestFirst, at(OLD), &CancellationToken::new())
        .await
        .expect("a claim");
    let claim = claims.into_iter().next().expect("it is due");
    assert_eq!(claim.id, recording(n));
    claim
}

/// Later than all that is claimed here, yet no longer than anything is put off.
fn again() -> Ending {
    Ending::Retry(Retry {
        at: at("2026-01-09T00:00:00Z"),
        waits_for: None,
        progress: false,
        doubt: None,
    })
}

fn landed(n: u8) -> Ending {
    Ending::Archived(Landed {
        path: format!("standup/{}.mp4", recording(n)),
        bytes: 4_096,
        sha256: "a".repeat(64),
        adopted: false,
        concerns: Vec::new(),
    })
}
