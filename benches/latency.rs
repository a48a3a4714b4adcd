//! How long it takes from "completed" upstream to "archived": a burst of recordings that complete at the
//! same moment, half-way between two polls of the real service.
//!
//!     cargo bench --bench latency [-- RECORDINGS BYTES SECONDS]     (500 recordings, 256 KiB, polls 60 s apart)

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chrono::{DateTime, Timelike as _, Utc};
use fake_space::{Generated, Media, NewRecording, NewSession, Options, Space};
use room_archiver::clock::Clock;

/// Recordings of each session.
const PER_SESSION: u64 = 5;

fn main() {
    // `cargo bench` adds a flag of its own.
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok());
    let recordings: u64 = numbers.next().unwrap_or(500);
    let bytes: u64 = numbers.next().unwrap_or(256 << 10);
    let period: u64 = numbers.next().unwrap_or(60);
    let clock = Clock::system();
    let space = Space::start_on_own_thread(Options::default()).expect("two free ports");
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("archive.db");
    let waiting = fill(&space, recordings, bytes);
    let mut service = start(&space, directory.path(), period);
    let query = |query: &str| ask(&database, query);
    while query("SELECT count(*) FROM queue WHERE state = 'waiting'") != recordings.to_string() {
        std::thread::sleep(Duration::from_millis(100));
    }
    let poll = next_poll(clock.now(), period);
    let middle = poll + Duration::from_secs(period / 2);
    std::thread::sleep((middle - clock.now()).to_std().unwrap_or_default());
    let completed = clock.now();
    for recording in waiting {
        space.complete(recording);
    }
    while query("SELECT count(*) FROM archive") != recordings.to_string() {
        std::thread::sleep(Duration::from_millis(100));
    }
    service.kill().expect("a child");
    service.wait().expect("a child");
    let poll = next_poll(completed, period);
    println!(
        "{recordings} recordings of {bytes} bytes in {} sessions, polled every {period} s",
        recordings / PER_SESSION
    );
    println!(
        "from completed to the next poll   {:>8.3} s",
        seconds(poll - completed)
    );
    let archived: Vec<f64> = query("SELECT archived_at FROM archive ORDER BY archived_at")
        .lines()
        .map(|line| line.parse::<DateTime<Utc>>().expect("a time"))
        .map(|at| seconds(at - poll))
        .collect();
    println!("from that poll to archived:");
    for (name, share) in [
        ("first", 0.0),
        ("10 %", 0.1),
        ("median", 0.5),
        ("90 %", 0.9),
        ("99 %", 0.99),
        ("last", 1.0),
    ] {
        println!("  {name:<8} {:>8.3} s", at(&archived, share));
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index into a few hundred values"
)]
fn at(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

fn seconds(span: chrono::TimeDelta) -> f64 {
    span.as_seconds_f64()
}

/// Running sessions whose recordings are being processed.
fn fill(space: &Space, recordings: u64, bytes: u64) -> Vec<uuid::Uuid> {
    let mut waiting = Vec::new();
    for number in 0..recordings / PER_SESSION {
        let session = space.add_session(NewSession::running(&format!("room-{}", number % 10)));
        for _ in 0..PER_SESSION {
            let media = Media::generated(Generated {
                seed: waiting.len() as u64,
                ..Generated::of_size(bytes)
            });
            let recording = NewRecording::completed(media).status("processing");
            waiting.push(space.add_recording(session, recording));
        }
    }
    waiting
}

fn start(space: &Space, directory: &std::path::Path, period: u64) -> Child {
    let config = directory.join("config.toml");
    let directory = directory.display();
    let text = format!(
        "[signalwire]\nbase_url = \"{}\"\nproject_id = \"{}\"\n[poll]\nschedule = \"{} * * * * *\"\n\
         [download]\nallow_private_hosts = true\n[archive]\ndirectory = '{directory}/recordings'\nmin_free_space = \"0\"\n\
         [database]\npath = '{directory}/archive.db'\n",
        space.api_url(),
        space.project_id(),
        if period == 60 {
            "0".to_owned()
        } else {
            format!("*/{period}")
        },
    );
    std::fs::write(&config, text).expect("a configuration");
    Command::new(env!("CARGO_BIN_EXE_room-archiver"))
        .env("ROOM_ARCHIVER_API_TOKEN", space.token())
        .arg("--config")
        .arg(config)
        .arg("run")
        .stderr(Stdio::null())
        .spawn()
        .expect("the program")
}

/// Polls come at whole multiples of the period, which divides a minute.
fn next_poll(now: DateTime<Utc>, period: u64) -> DateTime<Utc> {
    let start = now.with_nanosecond(0).expect("a time");
    let since = u64::from(start.second()) % period;
    start + Duration::from_secs(period - since)
}

/// What `sqlite3 -readonly` prints.
fn ask(database: &std::path::Path, query: &str) -> String {
    let output = Command::new("sqlite3")
        .arg("-readonly")
        .arg(database)
        .arg(query)
        .output()
        .expect("sqlite3 is installed");
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}
