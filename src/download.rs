//! Downloads: claims what is due, finds a link, transfers, lands, and decides what follows a failure.

pub mod addresses;
pub mod answer;
pub mod failure;
mod hosts;
mod job;
mod landing;
mod link;
mod media;
mod pace;
mod place;
mod progress;
mod queue;
mod ring;
mod speed;
mod throttle;
mod transfer;
mod writer;

use std::sync::Arc;
use std::time::Duration;

pub use hosts::{Failing, Hosts, Wait};
pub use link::Rate;
pub use media::{Answer, Media, Resume};
pub use progress::{Board, Progress};
pub use queue::{Downloader, Pause, Until};
pub use ring::Ring;
pub use throttle::Throttle;

use crate::archive::part::Batches;
use crate::archive::paths::Template;
use crate::archive::root::Root;
use crate::clock::Clock;
use crate::cooldown::Cooldowns;
use crate::links::Links;
use crate::signalwire::Client;
use crate::store::{Order, Store};

/// Everything a download needs. A reload makes a new one; transfers under way keep theirs.
pub struct Setup {
    /// Mints links.
    pub client: Arc<Client>,
    /// Fetches media.
    pub media: Media,
    /// Links of the latest listings.
    pub links: Links,
    /// Hosts that rate-limit us.
    pub cooldowns: Cooldowns,
    /// Media hosts that fail.
    pub hosts: Hosts,
    /// The database.
    pub store: Store,
    /// The archive's directory.
    pub root: Arc<Root>,
    /// What bytes are gathered in.
    pub batches: Batches,
    /// Where files are put.
    pub template: Arc<Template>,
    /// Their mode.
    pub file_mode: u32,
    /// Bytes of the disk that are left alone.
    pub min_free_space: u64,
    /// Downloads at once.
    pub concurrency: usize,
    /// Which come first.
    pub order: Order,
    /// The back-off of retries.
    pub backoff: failure::Backoff,
    /// How long a media host may send nothing.
    pub stall_timeout: Duration,
    /// The bandwidth limit.
    pub throttle: Throttle,
    /// How fast downloads have been.
    pub rate: Arc<Rate>,
    /// What is under way.
    pub board: Board,
    /// The time.
    pub clock: Clock,
    /// Called whenever downloads got on, for the watchdog.
    pub beat: Arc<dyn Fn() + Send + Sync>,
}
