//! A fake SignalWire space as a program, for demos and for trying the archiver by hand.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chrono::TimeDelta;
use clap::Parser;
use fake_space::{
    Action, BulkSpec, Chaos, Generated, Lifecycle, Media, NewRecording, NewSession, Options, Order,
    Rule, SecureLinks, Space,
};

/// A fake SignalWire space on loopback: the video API and its media links.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Completed sessions to begin with, each with one recording.
    #[arg(long, default_value_t = 10)]
    sessions: u32,
    /// Bytes of a recording; 0: small real videos.
    #[arg(long, default_value_t = 0)]
    media_size: u64,
    /// Recordings to compute in bulk, ten to a session.
    #[arg(long, default_value_t = 0)]
    bulk: u64,
    /// Rooms that live: sessions come and go, recordings become ready.
    #[arg(long)]
    live: bool,
    /// Rooms of --live.
    #[arg(long, default_value_t = 3)]
    rooms: usize,
    /// How much faster than life; at 1 a room takes a step each minute.
    #[arg(long, default_value_t = 20.0)]
    speed: f64,
    /// Port of the API; 0: any.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Port of the media store; 0: any.
    #[arg(long, default_value_t = 0)]
    media_port: u16,
    /// Longest page of a list.
    #[arg(long, default_value_t = 1000)]
    page_size_cap: u64,
    /// Lists in no order, after this seed.
    #[arg(long)]
    shuffle: Option<u64>,
    /// Life of media links in seconds, when the request names none.
    #[arg(long, default_value_t = 900)]
    link_ttl: u64,
    /// Bytes a second of each media connection.
    #[arg(long)]
    bandwidth: Option<u64>,
    /// Milliseconds before each answer.
    #[arg(long)]
    latency: Option<u64>,
    /// Writes the media into this directory before it serves, for a web server of its own.
    #[arg(long)]
    export: Option<PathBuf>,
    /// Links lead to this URL of the exported directory, signed for nginx's `secure_link` module.
    #[arg(long, requires = "links_secret")]
    links_to: Option<String>,
    /// The secret of these links.
    #[arg(long)]
    links_secret: Option<String>,
    /// Faults of all kinds that come and go at random, after this seed.
    #[arg(long)]
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
        media_port: arguments.media_port,
        page_size_cap: arguments.page_size_cap,
        order: arguments
            .shuffle
            .map_or(Order::NewestFirst, Order::Shuffled),
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
        tokio::spawn(Lifecycle::new(&space, arguments.rooms, size).run(period));
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

fn fill(space: &Space, arguments: &Arguments) {
    let now = space.now();
    for number in 0..arguments.sessions {
        let end = now - TimeDelta::minutes(20 * i64::from(number));
        let room = format!("room-{}", number % 3);
        let session = NewSession::completed(&room).at(end - TimeDelta::minutes(15), Some(end));
        let session = space.add_session(session);
        let media = match arguments.media_size {
            0 => Media::fixture(
                ["one-second-faststart", "three-seconds", "audio-video"][number as usize % 3],
            ),
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
        // All of them are over for so long that nothing more is expected of them.
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
        "\n# room-archiver's configuration; the token: ROOM_ARCHIVER_API_TOKEN={}",
        space.token()
    );
    println!("[signalwire]");
    println!("base_url = \"{}\"", space.api_url());
    println!("project_id = \"{}\"", space.project_id());
    println!("[download]\nallow_private_hosts = true");
    println!("[archive]\ndirectory = \"/tmp/room-archiver/recordings\"\nmin_free_space = \"0\"");
    println!("[database]\npath = \"/tmp/room-archiver/archive.db\"");
    println!("\nCtrl-C stops it.");
}
