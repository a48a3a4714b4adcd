//! A tour without an account: a fake SignalWire space on loopback, and the real archiver at work on it.
//!
//! `cargo run --example demo` ends with 0 only if every recording was archived, byte for byte, and
//! verified. What it made stays for a look around; `--clean` removes it.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use fake_space::{Fixture, Generated, Media, NewRecording, NewSession, Options, Space};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

const ROOMS: [&str; 3] = ["standup", "lesson", "team/retro"];
/// Some tens of MB at this pace move the bars for a few seconds.
const BANDWIDTH: &str = "24MiB";
const QUERY: &str = "SELECT room_name, recordings, bytes FROM storage_by_room ORDER BY room_name";

fn main() -> ExitCode {
    match demonstrate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn demonstrate() -> Result<()> {
    let space = Space::start_on_own_thread(Options::default())?;
    let media = fill(&space);
    let directory = tempfile::Builder::new()
        .prefix("room-archiver-demo-")
        .tempdir()?;
    let config = configure(&space, directory.path())?;
    println!(
        "A fake space with {} recordings runs on {}.",
        media.len(),
        space.api_url()
    );

    archiver(&config, &["doctor"])?;
    archiver(&config, &["once"])?;
    archiver(&config, &["list"])?;
    let database = directory.path().join("archive.db");
    println!("\n$ sqlite3 -readonly {} '{QUERY}'", database.display());
    let archived = tokio::runtime::Runtime::new()?.block_on(query(&database))?;
    archiver(&config, &["verify", "--full"])?;

    let mut expected: Vec<_> = media
        .iter()
        .map(|(id, media)| (id.clone(), media.sha256()))
        .collect();
    expected.sort();
    ensure!(
        archived == expected,
        "the archive is not what the space has: {archived:?} instead of {expected:?}"
    );
    println!(
        "\nAll {} recordings are archived, and their SHA-256 is that of the source.",
        archived.len()
    );
    if std::env::args().any(|argument| argument == "--clean") {
        directory.close()?;
    } else {
        println!("Look around: {}", directory.keep().display());
    }
    Ok(())
}

/// Small real videos, and a large made one in each room.
fn fill(space: &Space) -> Vec<(String, Media)> {
    let mut all = Vec::new();
    for (room, seed) in ROOMS.into_iter().zip(1..) {
        let session = space.add_session(NewSession::completed(room));
        let large = Generated {
            seed,
            ..Generated::of_size((20 + 10 * seed) << 20)
        };
        for media in [
            Media::fixture(Fixture::ThreeSeconds),
            Media::fixture(Fixture::AudioVideo),
            Media::generated(large),
        ] {
            let id = space.add_recording(session, NewRecording::completed(media.clone()));
            all.push((id.to_string(), media));
        }
    }
    all
}

fn configure(space: &Space, directory: &Path) -> Result<String> {
    let file = directory.join("config.toml");
    let token = directory.join("token");
    std::fs::write(&token, space.token())?;
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let shown = directory.display();
    let text = format!(
        "[signalwire]\nbase_url = \"{}\"\nproject_id = \"{}\"\napi_token_file = \"{shown}/token\"\n\
         [download]\nallow_private_hosts = true\nbandwidth_limit = \"{BANDWIDTH}\"\n\
         [archive]\ndirectory = \"{shown}/recordings\"\nmin_free_space = \"0\"\n\
         [database]\npath = \"{shown}/archive.db\"\n[log]\nlevel = \"warn\"\n",
        space.api_url(),
        space.project_id(),
    );
    std::fs::write(&file, text)?;
    Ok(file
        .to_str()
        .context("the directory's name is no text")?
        .to_owned())
}

/// Runs the program's own entry, as its `main` does.
fn archiver(config: &str, args: &[&str]) -> Result<()> {
    println!("\n$ room-archiver --config {config} {}", args.join(" "));
    let line = ["room-archiver", "--config", config]
        .into_iter()
        .chain(args.iter().copied());
    let code = room_archiver::cli::run(line.map(OsString::from));
    ensure!(code == ExitCode::SUCCESS, "'{}' failed", args.join(" "));
    Ok(())
}

/// Prints the query's rows; gives the id and digest of all that is archived.
async fn query(database: &Path) -> Result<Vec<(String, String)>> {
    let options = SqliteConnectOptions::new()
        .filename(database)
        .read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(QUERY).fetch_all(&mut connection).await?;
    for (room, recordings, bytes) in rows {
        println!("{room}|{recordings}|{bytes}");
    }
    let archived = sqlx::query_as("SELECT recording_id, sha256 FROM archive ORDER BY recording_id")
        .fetch_all(&mut connection)
        .await?;
    connection.close().await?;
    Ok(archived)
}
