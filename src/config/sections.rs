//! The sections of the configuration with their defaults. Names and defaults are a public interface.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::copies::CopyTarget;
use super::values::{FileMode, Globs, Listen, LogFormat, LogLevel, Order, Since, Size, optional};
use super::webhooks::Webhook;
use crate::schedule::Schedule;
use crate::telemetry::ping::PingUrl;

/// The whole configuration, checked.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Config {
    /// The account and how to talk to its API.
    pub signalwire: SignalWire,
    /// When to look for sessions and recordings.
    pub poll: Poll,
    /// Which recordings to keep.
    pub filter: Filter,
    /// How to download.
    pub download: Download,
    /// Where the files go.
    pub archive: Archive,
    /// Where the database is.
    pub database: Database,
    /// The scheduled verification of archived files.
    pub verify: Verify,
    /// Level and format of the log.
    pub log: Log,
    /// Metrics and health over HTTP.
    pub telemetry: Telemetry,
    /// The object stores that archived recordings are copied to, by name.
    pub copies: BTreeMap<String, CopyTarget>,
    /// The read-only page.
    pub web: Web,
    /// The receivers of events, by name.
    pub webhooks: BTreeMap<String, Webhook>,
}

/// The account and how to talk to its API.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct SignalWire {
    /// The space's name: `example` for `https://example.signalwire.com`.
    #[serde(with = "optional")]
    pub space: Option<String>,
    /// The API's origin instead of a space; http only for loopback.
    #[serde(with = "optional")]
    pub base_url: Option<String>,
    /// The project's id, the user name of the API.
    pub project_id: String,
    /// The file that holds the API token.
    #[serde(with = "optional")]
    pub api_token_file: Option<PathBuf>,
    /// Requested lifetime of download links; longer links are requested for large files.
    #[serde(with = "humantime_serde")]
    pub media_ttl: Duration,
    /// Rows per page of a list, 1 to 1000.
    pub page_size: u32,
    /// Time limit for opening a connection.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// Time limit for a complete API response.
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    /// A file of PEM certificates to trust in addition to the system's.
    #[serde(with = "optional")]
    pub ca_file: Option<PathBuf>,
}

impl Default for SignalWire {
    fn default() -> Self {
        Self {
            space: None,
            base_url: None,
            project_id: String::new(),
            api_token_file: None,
            media_ttl: Duration::from_mins(15),
            page_size: 1000,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            ca_file: None,
        }
    }
}

/// When to look for sessions and recordings.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Poll {
    /// When a poll pass begins.
    pub schedule: Schedule,
    /// When a sweep begins.
    pub sweep_schedule: Schedule,
    /// Each archive begins its polls, sweeps and verifications a little later, by a time of its own.
    pub spread: bool,
    /// How long after its end a session may still get new recordings.
    #[serde(with = "humantime_serde")]
    pub settle: Duration,
    /// When a recording that is not completed upstream, or not archived, counts as stuck.
    #[serde(with = "humantime_serde")]
    pub stuck_after: Duration,
    /// Number of sessions listed at the same time, 1 to 64.
    pub concurrency: usize,
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            schedule: schedule("0 */5 * * * *"),
            sweep_schedule: schedule("0 30 3 * * *"),
            spread: true,
            settle: Duration::from_hours(24),
            stuck_after: Duration::from_hours(24),
            concurrency: 8,
        }
    }
}

/// Which recordings to keep.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Filter {
    /// Rooms to keep; any glob may match.
    pub include_rooms: Globs,
    /// Rooms to leave out, even when included.
    pub exclude_rooms: Globs,
    /// Recordings that started earlier are left out.
    #[serde(with = "optional")]
    pub since: Option<Since>,
    /// Shorter recordings are left out.
    #[serde(with = "humantime_serde")]
    pub min_duration: Duration,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            include_rooms: Globs::new(vec!["*".to_owned()]).expect("a star is a glob"),
            exclude_rooms: Globs::default(),
            since: None,
            min_duration: Duration::ZERO,
        }
    }
}

/// How to download.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Download {
    /// Number of simultaneous downloads, 1 to 64.
    pub concurrency: usize,
    /// Which recordings come first.
    pub order: Order,
    /// Bytes per second over all downloads; 0: no limit.
    pub bandwidth_limit: Size,
    /// A transfer without a byte for this long is cut and resumed.
    #[serde(with = "humantime_serde")]
    pub stall_timeout: Duration,
    /// The wait before the first retry.
    #[serde(with = "humantime_serde")]
    pub retry_initial: Duration,
    /// The longest wait between retries.
    #[serde(with = "humantime_serde")]
    pub retry_max: Duration,
    /// Media may come from loopback and private addresses, for tests and demos.
    pub allow_private_hosts: bool,
}

impl Default for Download {
    fn default() -> Self {
        Self {
            concurrency: 4,
            order: Order::OldestFirst,
            bandwidth_limit: Size(0),
            stall_timeout: Duration::from_secs(30),
            retry_initial: Duration::from_secs(10),
            retry_max: Duration::from_hours(1),
            allow_private_hosts: false,
        }
    }
}

/// Where the files go.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Archive {
    /// The archive's root.
    pub directory: PathBuf,
    /// The file's path below the root, a template that names `recording_id`.
    pub path_template: String,
    /// Downloads pause while less than this is free.
    pub min_free_space: Size,
    /// Permissions of archived files.
    pub file_mode: FileMode,
    /// Beside each file a JSON file with all that is known of it.
    pub sidecars: bool,
}

impl Default for Archive {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("/var/lib/room-archiver/recordings"),
            path_template:
                "{{ room }}/{{ year }}/{{ month }}/{{ started_at }}_{{ recording_id }}.{{ ext }}"
                    .to_owned(),
            min_free_space: Size(2 << 30),
            file_mode: FileMode::default(),
            sidecars: false,
        }
    }
}

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Database {
    /// The SQLite file, on a local file system: WAL does not work on network shares.
    pub path: PathBuf,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            path: PathBuf::from("/var/lib/room-archiver/archive.db"),
        }
    }
}

/// The scheduled verification of archived files.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Verify {
    /// When a run begins.
    pub schedule: Schedule,
    /// The most bytes that a run reads; files verified longest ago come first.
    pub bytes_per_run: Size,
}

impl Default for Verify {
    fn default() -> Self {
        Self {
            schedule: schedule("0 0 4 * * 0"),
            bytes_per_run: Size(50 << 30),
        }
    }
}

/// Level and format of the log.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Log {
    /// The least severe events that are logged.
    pub level: LogLevel,
    /// The form of the log.
    pub format: LogFormat,
}

/// Metrics and health over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Telemetry {
    /// The address for `/metrics` and `/healthz`; `None`: not served.
    #[serde(with = "optional")]
    pub listen: Option<Listen>,
    /// A dead-man's switch to ping after each poll and sweep; `None`: none.
    #[serde(with = "optional")]
    pub ping_url: Option<PingUrl>,
}

/// The read-only page, a process of its own.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Web {
    /// The loopback address to listen on, unless systemd passes sockets.
    pub listen: SocketAddr,
    /// Host names by which the page is reached, besides those of loopback.
    pub hosts: Vec<String>,
    /// Addresses of proxies that are believed which user it is; whoever can use the Unix socket is, too.
    pub trusted_proxies: Vec<IpAddr>,
    /// The header in which a proxy names the user; requests without a user are refused then.
    #[serde(with = "optional")]
    pub user_header: Option<String>,
}

impl Default for Web {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8480)),
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            user_header: None,
        }
    }
}

fn schedule(text: &str) -> Schedule {
    text.parse().expect("the default schedules fire")
}
