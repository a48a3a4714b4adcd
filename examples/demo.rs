//! A tour without an account: a fake SignalWire space on loopback, and the real archiver at work on it.
//!
//! `cargo run --example demo` ends with 0 only if every recording was archived, byte for byte, a damaged file was found and
//! repaired, and everything was verified. What it made stays for a look around; `--clean` removes it. `--web` shows it in a
//! browser at the end, until Ctrl-C.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use fake_space::{Fixture, Generated, Media, NewRecording, NewSession, Options, Space};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};

const ROOMS: [&str; 3] = ["standup", "lesson", "team/retro"];
/// Some tens of MB at this pace move the bars for a few seconds.
const BANDWIDTH: &str = "24MiB";
const QUERY: &str = "SELECT room_name, recordings, bytes FROM storage_by_room ORDER BY room_name";

/// The first argument of the process that a command runs in.
const COMMAND: &str = "--command";
/// The port of the page if it is free, as in the configuration's default.
const PORT: u16 = 8480;

#[derive(Default)]
struct Wishes {
    clean: bool,
    web: bool,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.next_if(|first| first == COMMAND).is_some() {
        let name = OsString::from("room-archiver");
        return room_archiver::cli::run(std::iter::once(name).chain(arguments));
    }
    let mut wishes = Wishes::default();
    for argument in arguments {
        match argument.to_str() {
            Some("--clean") => wishes.clean = true,
            Some("--web") => wishes.web = true,
            _ => {
                eprintln!("usage: cargo run --example demo -- [--web] [--clean]");
                return ExitCode::from(2);
            }
        }
    }
    match demonstrate(&wishes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn demonstrate(wishes: &Wishes) -> Result<()> {
    let space = Space::start_on_own_thread(Options::default())?;
    let media = fill(&space);
    let directory = tempfile::Builder::new()
        .prefix("room-archiver-demo-")
        .tempdir()?;
    let config = configure(&space, directory.path())?;
    println!(
        "SignalWire keeps the recordings of your video rooms, and gives them out through links that expire. room-archiver\n\
         copies them to your disk. Here a fake SignalWire space with {} recordings of {} rooms runs on {}.",
        media.len(),
        ROOMS.len(),
        space.api_url()
    );

    title("Can everything be reached and written?");
    archiver(&config, &["doctor"], 0)?;
    title(
        "One pass: find the recordings and download them. The service does this every five minutes.",
    );
    archiver(&config, &["once"], 0)?;
    title("What is archived, as a list");
    archiver(&config, &["list"], 0)?;
    title("and as SQL: the database is yours to query.");
    let database = directory.path().join("archive.db");
    println!("$ sqlite3 -readonly {} '{QUERY}'", database.display());
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(query(&database))?;
    title("Now a disk error changes one byte of a file. Verification finds it, ...");
    damage(&runtime.block_on(a_file(&database, directory.path()))?)?;
    archiver(&config, &["verify", "--full"], 5)?;
    title("... and the recording is downloaded again.");
    archiver(&config, &["once"], 0)?;
    archiver(&config, &["verify", "--full"], 0)?;
    title("Is everything all right?");
    archiver(&config, &["status"], 0)?;

    let archived = runtime.block_on(archived(&database))?;
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
    if wishes.web {
        title("The archive in your browser, with a player");
        runtime.block_on(page(&config))?;
    }
    if wishes.clean {
        directory.close()?;
    } else {
        next(&directory.keep());
    }
    Ok(())
}

fn title(text: &str) {
    println!("\n-- {text}\n");
}

/// What to try next.
fn next(directory: &Path) {
    let shown = directory.display();
    println!(
        "\nTry next:\n  \
         in a browser        cargo run --example demo -- --web\n  \
         the files           find {shown}/recordings -type f\n  \
         one recording       cargo run -- --config {shown}/config.toml show ID\n  \
         the queries         sqlite3 -readonly {shown}/archive.db .schema\n  \
         the whole service   cargo run -p fake-space -- --live    (it prints a configuration for 'room-archiver run')\n  \
         your own space      see 'Install' in README.md\n\
         To clean up: rm -r {shown}"
    );
}

/// Serves the read-only page until Ctrl-C, and says where.
async fn page(config: &str) -> Result<()> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let asked = async {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    };
    let address = free_address()?;
    println!("$ room-archiver --config {config} web");
    let mut page = Command::new(std::env::current_exe()?)
        .args([COMMAND, "--config", config, "web"])
        .env("ROOM_ARCHIVER__WEB__LISTEN", address.to_string())
        // It is stopped from here, so that Ctrl-C does not reach it twice.
        .process_group(0)
        .spawn()?;
    while TcpStream::connect(address).await.is_err() {
        ensure!(page.try_wait()?.is_none(), "the page did not start");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("\nOpen http://{address} in a browser. Press Ctrl-C to end it.");
    let process = Pid::from_child(&page);
    let mut ended = tokio::task::spawn_blocking(move || page.wait());
    let ended = tokio::select! {
        ended = &mut ended => ended,
        () = asked => {
            // Unless it has ended by itself just now.
            _ = kill_process(process, Signal::TERM);
            ended.await
        }
    };
    let status = ended??;
    ensure!(status.success(), "the page ended with {status}");
    Ok(())
}

/// On loopback: the port of the default configuration, or another if that is taken.
fn free_address() -> Result<SocketAddr> {
    let on = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    Ok(on(PORT).or_else(|_| on(0))?.local_addr()?)
}

/// The path of an archived file.
async fn a_file(database: &Path, directory: &Path) -> Result<PathBuf> {
    let mut connection = open(database).await?;
    let path: String = sqlx::query_scalar("SELECT path FROM archive ORDER BY size_bytes LIMIT 1")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    Ok(directory.join("recordings").join(path))
}

/// Changes one byte.
fn damage(file: &Path) -> Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(file)?;
    let middle = file.metadata()?.len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle)?;
    file.write_all_at(&[!byte[0]], middle)?;
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

/// Runs the program's own entry, as its `main` does, in a process of its own, and expects this exit code.
fn archiver(config: &str, args: &[&str], expected: i32) -> Result<()> {
    println!("$ room-archiver --config {config} {}", args.join(" "));
    let status = Command::new(std::env::current_exe()?)
        .args([COMMAND, "--config", config])
        .args(args)
        .status()?;
    ensure!(
        status.code() == Some(expected),
        "'{}' ended with {status}, not with exit code {expected}",
        args.join(" ")
    );
    Ok(())
}

/// Prints the query's rows.
async fn query(database: &Path) -> Result<()> {
    let mut connection = open(database).await?;
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(QUERY).fetch_all(&mut connection).await?;
    for (room, recordings, bytes) in rows {
        println!("{room}|{recordings}|{bytes}");
    }
    Ok(connection.close().await?)
}

/// The id and digest of all that is archived.
async fn archived(database: &Path) -> Result<Vec<(String, String)>> {
    let mut connection = open(database).await?;
    let archived = sqlx::query_as("SELECT recording_id, sha256 FROM archive ORDER BY recording_id")
        .fetch_all(&mut connection)
        .await?;
    connection.close().await?;
    Ok(archived)
}

async fn open(database: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(database)
        .read_only(true);
    Ok(SqliteConnection::connect_with(&options).await?)
}
