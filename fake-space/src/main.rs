//! A fake SignalWire space as a program, for demos and for trying the archiver by hand.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chrono::TimeDelta;
use clap::Parser;
use fake_space::{
    Action, BulkSpec, Chaos, Fixture, Generated, Lifecycle, Media, NewRecording, NewSession,
    Options, Rule, SecureLinks, Space,
};

/// A fake SignalWire space on loopback: the video API and its media links.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Number of completed sessions to start with, each with one recording.
    #[arg(long, default_value_t = 10)]
    sessions: u32,
    /// Size of each recording in bytes; 0: small real videos.
    #[arg(long, default_value_t = 0)]
    media_size: u64,
    /// Number of recordings to add in bulk, ten per session; there can be millions.
    #[arg(long, default_value_t = 0)]
    bulk: u64,
    /// Simulate three rooms in use: sessions start and end, recordings are made and completed.
    #[arg(long)]
    live: bool,
    /// How fast --live runs; at 1, a room takes one step per minute.
    #[arg(long, default_value_t = 20.0)]
    speed: f64,
    /// Port of the API; 0: any free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Lifetime of media links in seconds, for requests without `media_ttl`.
    #[arg(long, default_value_t = 900)]
    link_ttl: u64,
    /// Limit each media connection to this many bytes per second.
    #[arg(long)]
    bandwidth: Option<u64>,
    /// Delay each response by this many milliseconds.
    #[arg(long)]
    latency: Option<u64>,
    /// Write all media files to this directory before serving, for another web server.
    #[arg(long)]
    export: Option<PathBuf>,
    /// Make links to this URL, where nginx serves the exported directory with its `secure_link` module.
    #[arg(long, requires = "links_secret")]
    links_to: Option<String>,
    /// The secret in nginx's `secure_link_md5`.
    #[arg(long)]
    links_secret: Option<String>,
    /// Inject random faults that change every two seconds; the same seed gives the same faults.
    #[arg(long, value_name = "SEED")]
    chaos: Option<u64>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("could not start the space: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> std::io::Result<()> {
    let space = Space::start(Options {
        api_port: arguments.port,
        link_ttl_default: Duration::from_secs(arguments.link_ttl),
        secure_links: arguments.links_to.clone().map(|base| SecureLinks {
            base,
            secret: arguments.links_secret.clone().unwrap_or_default(),
        }),
        ..Options::default()
    })
    .await?;
    fill(&space, arguments);
    if let Some(directory) = &arguments.export {
        space.export(directory)?;
    }
    if let Some(rate) = arguments.bandwidth {
        space.inject(Rule::media(Action::Bandwidth(rate)));
    }
    if let Some(millis) = arguments.latency {
        space.inject(Rule::any(Action::Delay(Duration::from_millis(millis))));
    }
    if arguments.live {
        let size = arguments.media_size.max(100_000);
        let period = Duration::from_secs_f64(60.0 / arguments.speed.clamp(0.001, 60_000.0));
        tokio::spawn(Lifecycle::new(&space, 3, size).run(period));
    }
    if let Some(seed) = arguments.chaos {
        let chaos = Chaos::new(&space, seed, arguments.media_size.max(100_000));
        tokio::spawn(chaos.run(Duration::from_secs(2)));
    }
    introduce(&space);
    tokio::signal::ctrl_c().await?;
    space.shutdown().await;
    Ok(())
}

const FIXTURES: [Fixture; 3] = [
    Fixture::OneSecondFastStart,
    Fixture::ThreeSeconds,
    Fixture::AudioVideo,
];

fn fill(space: &Space, arguments: &Arguments) {
    let now = space.now();
    for number in 0..arguments.sessions {
        let end = now - TimeDelta::minutes(20 * i64::from(number));
        let room = format!("room-{}", number % 3);
        let session = NewSession::completed(&room).at(end - TimeDelta::minutes(15), Some(end));
        let session = space.add_session(session);
        let media = match arguments.media_size {
            0 => Media::fixture(FIXTURES[number as usize % FIXTURES.len()]),
            size => Media::generated(Generated {
                seed: number.into(),
                ..Generated::of_size(size)
            }),
        };
        space.add_recording(session, NewRecording::completed(media));
    }
    if arguments.bulk > 0 {
        let sessions = arguments.bulk.div_ceil(10);
        let mut bulk = BulkSpec::new(sessions, 10, now);
        // All sessions ended so long ago that the archiver expects no more recordings of them.
        let before =
            bulk.step * u32::try_from(sessions).unwrap_or(u32::MAX) + Duration::from_hours(72);
        bulk.start = now - before;
        if arguments.media_size > 0 {
            bulk.media_size = arguments.media_size;
        }
        space.add_bulk(bulk);
    }
}

fn introduce(space: &Space) {
    println!("API     {}", space.api_url());
    println!("media   {}", space.media_url());
    println!("project {}", space.project_id());
    println!("token   {}", space.token());
    println!(
        "\n# Configuration of room-archiver, which reads the token from ROOM_ARCHIVER_API_TOKEN={}",
        space.token()
    );
    println!("[signalwire]");
    println!("base_url = \"{}\"", space.api_url());
    println!("project_id = \"{}\"", space.project_id());
    println!("[download]\nallow_private_hosts = true");
    println!("[archive]\ndirectory = \"/tmp/room-archiver/recordings\"\nmin_free_space = \"0\"");
    println!("[database]\npath = \"/tmp/room-archiver/archive.db\"");
    println!("\nPress Ctrl-C to stop.");
}
