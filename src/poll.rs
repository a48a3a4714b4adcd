//! Discovery: finds every session and every recording of the space, whatever the order of the lists.
//!
//! [`Poller::poll`] is cheap and runs every few minutes. [`Poller::sweep`] walks all lists, so that nothing is
//! missed even if a poll's assumptions about order and timing are wrong. Both write one page in one short
//! transaction; the position up to which polls need not look again moves only after a complete walk.

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

/// Polls and sweeps a space, and writes what it finds to the database.
#[derive(Clone)]
pub struct Poller {
    /// The API of the space.
    pub client: Arc<Client>,
    /// The database that it writes to.
    pub store: Store,
    /// Takes the links of recordings that can be downloaded.
    pub links: Links,
    /// Hosts that are rate-limiting us; kept in the database.
    pub cooldowns: Cooldowns,
    /// Which rooms are archived.
    pub filter: Filter,
    /// How long after its end a session may still get new recordings.
    pub settle: Duration,
    /// Sessions listed at the same time.
    pub concurrency: usize,
    /// The local clock; ages upstream are measured with SignalWire's.
    pub clock: Clock,
    /// Ends a pass early.
    pub stop: CancellationToken,
    /// Called at least every second while a pass is under way, for the watchdog and for progress on a terminal.
    pub beat: Arc<dyn Fn() + Send + Sync>,
    /// Called as soon as something can be downloaded: downloads must not wait for the end of a long pass.
    pub due: Arc<dyn Fn() + Send + Sync>,
}
