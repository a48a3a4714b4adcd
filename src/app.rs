//! The composition root: makes the parts from the configuration and wires them together.

mod api;
mod copies;
mod daemon;
pub mod health;
mod logging;
mod ping;
pub mod reload;
mod report;
mod retry;
mod sidecars;
mod slots;
mod targets;
mod telemetry;
mod tls;
pub mod webhooks;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::{Context as _, Result};
use tokio_util::sync::CancellationToken;

pub use api::{client, origin, token};
pub use daemon::run;
pub use logging::init_logs;
pub use sidecars::write_sidecars;
pub use slots::{schedules, spread_by};
pub use targets::{Configured, Targets, target};

use tls::{NO_TLS, authorities, tls};

use crate::archive::part::Batches;
use crate::archive::paths::{SIDECAR, Template};
use crate::archive::root::Root;
use crate::clock::Clock;
use crate::config::{Config, Order};
use crate::cooldown::Cooldowns;
use crate::download::{Board, Hosts, Media, Rate, Setup, Wake, failure};
use crate::instance::Instance;
use crate::links::Links;
use crate::model::ApiToken;
use crate::notify::Notifier;
use crate::owner::refuse_foreign;
use crate::poll::{Filter, Poller, RoomFilter};
use crate::rebuild::Rebuilder;
use crate::reconcile::{self, Source};
use crate::sidecar::Keeper;
use crate::signalwire::Client;
use crate::store::{self, Access, Store};
use crate::throttle::Throttle;
use crate::verify::Verifier;

/// Called whenever something made progress.
pub type Beat = Arc<dyn Fn() + Send + Sync>;

/// An archive that this process has to itself: what lives as long as the process, whatever is reloaded.
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct App {
    pub store: Store,
    pub root: Arc<Root>,
    /// Disk and rows have to be compared before anything is downloaded.
    pub compare: bool,
    pub board: Board,
    /// Wakes the downloads.
    pub wake: Wake,
    pub stop: CancellationToken,
    pub clock: Clock,
    links: Links,
    cooldowns: Cooldowns,
    hosts: Hosts,
    filter: Filter,
    rate: Arc<Rate>,
    /// Requests to the API, of all clients that follow one another.
    requests: Arc<AtomicU64>,
    _instance: Instance,
}

impl App {
    /// Locks and opens the archive that the configuration names.
    ///
    /// # Errors
    /// Another instance, a directory that is not the archive, a database that can't be used.
    pub async fn open(config: &Config, clock: Clock, stop: CancellationToken) -> Result<Self> {
        let (directory, database) = (&config.archive.directory, &config.database.path);
        // What the service may not write to degrades it; what root may write would be lost to its user.
        if rustix::process::geteuid().is_root() {
            refuse_foreign(database, directory, None)?;
        }
        reconcile::prepare_directory(directory, database)?;
        let instance = Instance::lock(database, directory)?;
        store::refuse_damaged(database).await?;
        let store = Store::open(database, Access::Write).await?;
        check_source(config, &store).await?;
        let now = clock.now();
        let interrupted = store.recover(now).await?;
        if interrupted > 0 {
            tracing::info!(
                "{interrupted} downloads of the last instance were interrupted and go on"
            );
        }
        let (root, compare) = reconcile::open(directory, &store).await?;
        reconcile::clear_parts(&root, &store).await?;
        let cooldowns = Cooldowns::load(store.cooldowns().await?);
        Ok(Self {
            store,
            root,
            compare,
            board: Board::default(),
            wake: Wake::default(),
            stop,
            clock,
            links: Links::default(),
            cooldowns,
            hosts: Hosts::default(),
            filter: Filter::new(room_filter(config)),
            rate: Arc::default(),
            requests: Arc::default(),
            _instance: instance,
        })
    }

    /// A client of the configured space.
    ///
    /// # Errors
    /// Certificates that can't be used.
    pub fn client(&self, config: &Config, token: ApiToken) -> Result<Arc<Client>> {
        let requests = self.requests.clone();
        api::client_counting(
            config,
            token,
            self.clock.clone(),
            self.cooldowns.clone(),
            requests,
        )
    }

    /// What discovers sessions and recordings.
    #[must_use]
    pub fn poller(&self, config: &Config, client: Arc<Client>, beat: Beat) -> Poller {
        let wake = self.wake.clone();
        Poller {
            client,
            store: self.store.clone(),
            links: self.links.clone(),
            cooldowns: self.cooldowns.clone(),
            filter: self.filter.clone(),
            settle: config.poll.settle,
            concurrency: config.poll.concurrency,
            clock: self.clock.clone(),
            stop: self.stop.clone(),
            beat,
            due: Arc::new(move || wake.wake()),
        }
    }

    /// What downloads work with.
    ///
    /// # Errors
    /// Certificates that can't be used.
    pub fn setup(&self, config: &Config, client: Arc<Client>, beat: Beat) -> Result<Setup> {
        let download = &config.download;
        tls();
        let media = Media::new(
            config.signalwire.connect_timeout,
            download.stall_timeout,
            download.allow_private_hosts,
            authorities(config)?,
        )
        .context(NO_TLS)?;
        Ok(Setup {
            client,
            media,
            links: self.links.clone(),
            cooldowns: self.cooldowns.clone(),
            hosts: self.hosts.clone(),
            store: self.store.clone(),
            root: self.root.clone(),
            batches: Batches::default(),
            template: Arc::new(
                Template::parse(&config.archive.path_template)?
                    .with_name_max(self.name_max(config)),
            ),
            file_mode: config.archive.file_mode.bits(),
            fetcher: None,
            min_free_space: config.archive.min_free_space.0,
            concurrency: download.concurrency,
            order: match download.order {
                Order::OldestFirst => store::Order::OldestFirst,
                Order::NewestFirst => store::Order::NewestFirst,
            },
            backoff: failure::Backoff {
                initial: download.retry_initial,
                most: download.retry_max,
            },
            stall_timeout: download.stall_timeout,
            throttle: Throttle::new(download.bandwidth_limit.0, self.clock.clone()),
            rate: self.rate.clone(),
            board: self.board.clone(),
            clock: self.clock.clone(),
            beat,
        })
    }

    /// The most bytes of a file's name: its sidecar's must fit as well.
    fn name_max(&self, config: &Config) -> usize {
        let behind = if config.archive.sidecars {
            SIDECAR.len()
        } else {
            0
        };
        self.root.name_max() - behind
    }

    /// What writes sidecars; `None`: they are switched off.
    #[must_use]
    pub fn keeper(&self, config: &Config) -> Option<Keeper> {
        config.archive.sidecars.then(|| Keeper {
            store: self.store.clone(),
            root: self.root.clone(),
            clock: self.clock.clone(),
            project_id: config.signalwire.project_id.clone(),
            mode: config.archive.file_mode.bits(),
            stop: self.stop.clone(),
        })
    }

    /// What rebuilds the database from sidecars.
    #[must_use]
    pub fn rebuilder(&self, config: &Config, beat: Beat) -> Rebuilder {
        Rebuilder {
            store: self.store.clone(),
            root: self.root.clone(),
            clock: self.clock.clone(),
            project_id: config.signalwire.project_id.clone(),
            stop: self.stop.clone(),
            beat,
        }
    }

    /// What verifies archived files; `read` hears how many bytes were read.
    #[must_use]
    pub fn verifier(&self, read: Arc<dyn Fn(u64) + Send + Sync>) -> Verifier {
        Verifier {
            store: self.store.clone(),
            root: self.root.clone(),
            clock: self.clock.clone(),
            stop: self.stop.clone(),
            begins: Arc::new(|_, _| {}),
            read,
        }
    }

    /// What sends events to webhooks.
    #[must_use]
    pub fn notifier(&self) -> Notifier {
        Notifier {
            store: self.store.clone(),
            clock: self.clock.clone(),
            stop: self.stop.clone(),
        }
    }

    /// Puts the configured filter in force, writes down what the database's views need of the configuration,
    /// and places recordings again if the filter is another than last time.
    ///
    /// # Errors
    /// The database's.
    pub async fn apply_config(&self, config: &Config, poller: &Poller) -> Result<()> {
        self.filter.set(room_filter(config));
        // This write also waits for a page that is being placed by the old filter.
        let facts = [
            (
                "stuck_after_seconds",
                config.poll.stuck_after.as_secs().to_string(),
            ),
            ("sweep_schedule", config.poll.sweep_schedule.to_string()),
            ("verify_schedule", config.verify.schedule.to_string()),
            (
                "min_free_space_bytes",
                config.archive.min_free_space.0.to_string(),
            ),
        ];
        for (name, value) in facts {
            self.store.set_fact(name, Some(&value)).await?;
        }
        self.configure_targets(config).await?;
        self.store
            .watch_sidecars(config.archive.sidecars, !config.copies.is_empty())
            .await?;
        let schedule = schedules(config, &self.store).await?.poll;
        self.store
            .set_poll_schedule(&schedule.to_string(), schedule.offset())
            .await?;
        let webhooks = webhooks::rows(config);
        self.store.set_webhooks(&webhooks, self.clock.now()).await?;
        let filter = toml::to_string(&config.filter).unwrap_or_default();
        if self.store.fact("filter").await?.as_deref() != Some(filter.as_str()) {
            poller.replan(None).await?;
            self.store.set_fact("filter", Some(&filter)).await?;
        }
        Ok(())
    }

    /// Compares disk and rows, if that is needed.
    ///
    /// # Errors
    /// The disk's or the database's.
    pub async fn compare_if_needed(&self, beat: &Beat) -> Result<(), reconcile::NotTheArchive> {
        if self.compare {
            let now = self.clock.now();
            reconcile::compare(self.root.clone(), &self.store, now, &**beat).await?;
        }
        Ok(())
    }

    /// Notes a failure of the database that may pass; whoever met it tries again later.
    ///
    /// # Errors
    /// A failure that does not pass.
    pub fn tolerate(&self, result: store::Result<()>) -> store::Result<()> {
        match result {
            Err(error) if error.may_pass() => {
                self.store.trouble().note(&error, self.clock.now());
                Ok(())
            }
            result => result,
        }
    }

    /// Ends in order: nothing may be under way any more. If the database fails, the next start compares disk and rows.
    ///
    /// # Errors
    /// A failure of the database that does not pass.
    pub async fn close(self) -> Result<()> {
        self.tolerate(reconcile::note_clean_stop(&self.store).await)?;
        self.store.close().await;
        Ok(())
    }
}

/// Fails if the database is of another project or space than the configuration.
async fn check_source(config: &Config, store: &Store) -> Result<()> {
    let origin = origin(config)?;
    let source = Source {
        project_id: &config.signalwire.project_id,
        origin: &origin,
    };
    let checked = source.check(store, &config.database.path).await;
    if checked.is_err() {
        store.clone().close().await;
    }
    Ok(checked?)
}

/// The configured filter.
#[must_use]
pub fn room_filter(config: &Config) -> RoomFilter {
    let filter = &config.filter;
    RoomFilter::new(
        filter.include_rooms.set().clone(),
        filter.exclude_rooms.set().clone(),
        filter.since.as_ref().map(crate::config::Since::at),
        filter.min_duration,
    )
}
