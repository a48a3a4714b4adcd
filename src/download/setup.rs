//! What all downloads share.

use std::sync::Arc;
use std::time::Duration;

use super::failure::Backoff;
use super::hosts::Hosts;
use super::http::client::Media;
use super::progress::Board;
use super::rate::Rate;
use crate::archive::part::Batches;
use crate::archive::paths::Template;
use crate::archive::root::Root;
use crate::clock::Clock;
use crate::cooldown::Cooldowns;
use crate::links::Links;
use crate::offsite::Fetcher;
use crate::signalwire::Client;
use crate::store::{Order, Store};
use crate::throttle::Throttle;

/// Everything a download needs. A reload makes a new one; transfers under way keep theirs.
#[expect(missing_docs, reason = "the other fields are what they are called")]
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
    pub store: Store,
    pub root: Arc<Root>,
    /// What bytes are gathered in.
    pub batches: Batches,
    /// Where files are put.
    pub template: Arc<Template>,
    /// Their mode.
    pub file_mode: u32,
    /// Where damaged files are taken from before SignalWire is asked; `None`: there are no copies.
    pub fetcher: Option<Fetcher>,
    /// Bytes of the disk that are left alone.
    pub min_free_space: u64,
    /// Downloads at once.
    pub concurrency: usize,
    /// Which come first.
    pub order: Order,
    pub backoff: Backoff,
    /// How long a media host may send nothing.
    pub stall_timeout: Duration,
    pub throttle: Throttle,
    /// How fast downloads have been.
    pub rate: Arc<Rate>,
    pub board: Board,
    pub clock: Clock,
    /// Called whenever downloads made progress, for the watchdog.
    pub beat: Arc<dyn Fn() + Send + Sync>,
}
