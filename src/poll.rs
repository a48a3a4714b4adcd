//! Discovery: finds every session and every recording of the space, whatever the order of the lists.
//!
//! [`Poller::poll`] is cheap and runs every few minutes; [`Poller::sweep`] sees everything and makes
//! the promise that nothing is missed independent of any guess about order or timing. Both work from
//! what is there, a page and a short transaction at a time; progress moves only after a complete pass.

mod ask;
mod confirm;
mod filter;
mod listing;
mod order;
mod pass;
mod plan;
mod rooms;
mod run;
mod schedule;
mod shortfall;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use filter::Filter;

pub use plan::{Kind, RoomFilter, plan, position};
pub use run::Report;
pub use schedule::{Listing, next_listing};

use crate::clock::Clock;
use crate::cooldown::Cooldowns;
use crate::links::Links;
use crate::signalwire::Client;
use crate::store::Store;

/// Polls and sweeps a space, and keeps the database in step with it.
#[derive(Clone)]
pub struct Poller {
    /// The space.
    pub client: Arc<Client>,
    /// What it keeps in step.
    pub store: Store,
    /// Where it leaves the links of recordings that can be downloaded.
    pub links: Links,
    /// Hosts that are rate-limiting us; kept in the database.
    pub cooldowns: Cooldowns,
    /// Which rooms are archived.
    pub filter: Filter,
    /// How long after its end a session is still expected to bring recordings.
    pub settle: Duration,
    /// Sessions listed at once.
    pub concurrency: usize,
    /// The time.
    pub clock: Clock,
    /// Ends a pass early.
    pub stop: CancellationToken,
    /// Called at least every second while a pass is under way, for the watchdog and for progress on a terminal.
    pub beat: Arc<dyn Fn() + Send + Sync>,
    /// Called as soon as something can be downloaded: a long pass must not hold up what it found first.
    pub due: Arc<dyn Fn() + Send + Sync>,
}
