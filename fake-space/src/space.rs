//! The handle to a running space: starting and stopping, its settings, its clock, its journal, its faults.

mod content;
mod options;

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::{Builder, Uuid};

pub use options::{Complaints, NextLinks, Options, Order, SecureLinks};

use crate::clock::Clock;
use crate::faults::{Faults, Rule, RuleId};
use crate::journal::{Counters, Journal, Origin, Seen};
use crate::server;
use crate::signing::Signer;
use crate::world::World;

pub(crate) struct Settings {
    pub options: Options,
    /// Refuses right credentials with this status.
    pub refuse_credentials: Option<u16>,
    pub page_tokens: HashSet<Uuid>,
    /// State of the id generator.
    seed: u64,
}

/// What the servers share.
pub(crate) struct Inner {
    pub clock: Clock,
    pub journal: Journal,
    pub signer: Signer,
    api: SocketAddr,
    media: SocketAddr,
    settings: Mutex<Settings>,
    world: Mutex<World>,
    faults: Mutex<Faults>,
}

fn locked<T, R>(mutex: &Mutex<T>, work: impl FnOnce(&mut T) -> R) -> R {
    work(&mut mutex.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Inner {
    pub(crate) fn with_settings<R>(&self, work: impl FnOnce(&mut Settings) -> R) -> R {
        locked(&self.settings, work)
    }

    pub(crate) fn with_world<R>(&self, work: impl FnOnce(&mut World) -> R) -> R {
        locked(&self.world, work)
    }

    pub(crate) fn with_faults<R>(&self, work: impl FnOnce(&mut Faults) -> R) -> R {
        locked(&self.faults, work)
    }

    pub(crate) fn api_url(&self) -> String {
        format!("http://{}", self.api)
    }

    pub(crate) fn media_host(&self) -> String {
        self.media.to_string()
    }

    pub(crate) fn fresh_id(&self) -> Uuid {
        self.with_settings(|settings| {
            let (high, low) = (
                crate::mix(&mut settings.seed),
                crate::mix(&mut settings.seed),
            );
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&high.to_be_bytes());
            bytes[8..].copy_from_slice(&low.to_be_bytes());
            Builder::from_random_bytes(bytes).into_uuid()
        })
    }
}

/// The two servers; they stop when the last handle goes.
struct Servers {
    api: Mutex<Option<JoinHandle<()>>>,
    media: Mutex<Option<JoinHandle<()>>>,
    runtime: Handle,
    /// Ends the servers' own thread, if they have one, by being dropped.
    _thread: Option<oneshot::Sender<()>>,
}

impl Servers {
    fn of(&self, origin: Origin) -> &Mutex<Option<JoinHandle<()>>> {
        match origin {
            Origin::Api => &self.api,
            Origin::Media => &self.media,
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for server in [&self.api, &self.media] {
            locked(server, |server| server.take().map(|task| task.abort()));
        }
    }
}

/// A handle to a running space; cheap to clone. The space stops when the last handle is dropped.
#[derive(Clone)]
pub struct Space {
    inner: Arc<Inner>,
    /// Absent in the handles that the servers themselves pass to hooks.
    servers: Option<Arc<Servers>>,
}

impl std::fmt::Debug for Space {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Space({})", self.api_url())
    }
}

async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

impl Space {
    /// Starts an empty space on two loopback ports, served by the runtime this is called in.
    ///
    /// # Errors
    /// When a port can't be bound.
    pub async fn start(options: Options) -> io::Result<Self> {
        Self::start_with(options, None).await
    }

    /// Starts an empty space that is served by a thread of its own: for tests that block, such as
    /// those that run a program and wait for it, and for benchmarks.
    ///
    /// # Errors
    /// When a port can't be bound or a thread not be started.
    pub fn start_on_own_thread(options: Options) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let (alive, ended) = oneshot::channel();
        std::thread::Builder::new()
            .name("fake-space".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let _ = sender.send(Self::start_with(options, Some(alive)).await);
                    let _ = ended.await;
                });
            })?;
        receiver.recv().map_err(io::Error::other)?
    }

    async fn start_with(options: Options, thread: Option<oneshot::Sender<()>>) -> io::Result<Self> {
        let (api, media) = (
            bind(options.api_port).await?,
            bind(options.media_port).await?,
        );
        let media_address = media.local_addr()?;
        let marker = options.signature_marker.clone();
        let inner = Arc::new(Inner {
            clock: Clock::default(),
            journal: Journal::new(options.journal_cap),
            signer: Signer::new(media_address.to_string(), marker),
            api: api.local_addr()?,
            media: media_address,
            settings: Mutex::new(Settings {
                refuse_credentials: None,
                page_tokens: HashSet::new(),
                seed: options.seed,
                options,
            }),
            world: Mutex::default(),
            faults: Mutex::default(),
        });
        let serve = |origin, listener| {
            let server = server::run(Arc::clone(&inner), origin, listener);
            Mutex::new(Some(tokio::spawn(server)))
        };
        let servers = Servers {
            api: serve(Origin::Api, api),
            media: serve(Origin::Media, media),
            runtime: Handle::current(),
            _thread: thread,
        };
        Ok(Self {
            servers: Some(Arc::new(servers)),
            inner,
        })
    }

    /// A handle that does not keep the servers alive.
    pub(crate) fn passing(inner: &Arc<Inner>) -> Self {
        Self {
            inner: Arc::clone(inner),
            servers: None,
        }
    }

    /// Stops both servers and cuts every connection.
    pub async fn shutdown(&self) {
        self.refuse_connections(Origin::Api).await;
        self.refuse_connections(Origin::Media).await;
    }

    /// Stops one of the servers: its connections are cut, new ones refused.
    pub async fn refuse_connections(&self, origin: Origin) {
        let Some(servers) = &self.servers else { return };
        if let Some(task) = locked(servers.of(origin), Option::take) {
            task.abort();
            // The port is free when the task is gone; that it was cancelled is no news.
            let _ = task.await;
        }
    }

    /// Takes connections again, on the same port as before.
    ///
    /// # Errors
    /// When another process has taken the port.
    pub async fn accept_connections(&self, origin: Origin) -> io::Result<()> {
        let Some(servers) = &self.servers else {
            return Ok(());
        };
        if locked(servers.of(origin), |task| task.is_some()) {
            return Ok(());
        }
        let address = match origin {
            Origin::Api => self.inner.api,
            Origin::Media => self.inner.media,
        };
        // A listener belongs to the runtime it was made in.
        let bound = servers.runtime.spawn(bind(address.port())).await;
        let listener = bound.map_err(io::Error::other)??;
        let server = server::run(Arc::clone(&self.inner), origin, listener);
        let server = servers.runtime.spawn(server);
        locked(servers.of(origin), |task| *task = Some(server));
        Ok(())
    }

    /// The API's origin, such as `http://127.0.0.1:40001`.
    #[must_use]
    pub fn api_url(&self) -> String {
        self.inner.api_url()
    }

    /// The media store's origin.
    #[must_use]
    pub fn media_url(&self) -> String {
        format!("http://{}", self.inner.media)
    }

    /// The project's id: the user of Basic authentication.
    #[must_use]
    pub fn project_id(&self) -> String {
        self.inner
            .with_settings(|settings| settings.options.project_id.to_string())
    }

    /// The API token: the password of Basic authentication.
    #[must_use]
    pub fn token(&self) -> String {
        self.inner
            .with_settings(|settings| settings.options.token.clone())
    }

    /// Makes another token the valid one.
    pub fn set_token(&self, token: &str) {
        self.configure(|options| token.clone_into(&mut options.token));
    }

    /// Refuses even the right credentials, with 401 or 403; `None` takes them again.
    pub fn refuse_credentials(&self, status: Option<u16>) {
        self.inner
            .with_settings(|settings| settings.refuse_credentials = status);
    }

    /// Changes options of the running space.
    pub fn configure(&self, change: impl FnOnce(&mut Options)) {
        self.inner
            .with_settings(|settings| change(&mut settings.options));
    }

    /// Changes the order of lists.
    pub fn set_order(&self, order: Order) {
        self.configure(|options| options.order = order);
    }

    /// Changes the form of the links between pages.
    pub fn set_next_links(&self, links: NextLinks) {
        self.configure(|options| options.next_links = links);
    }

    /// Caps the length of pages.
    pub fn set_page_size_cap(&self, rows: u64) {
        self.configure(|options| options.page_size_cap = rows);
    }

    /// The space's time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.inner.clock.now()
    }

    /// Lets time pass: links age.
    pub fn advance(&self, by: Duration) {
        self.inner.clock.advance(by);
    }

    /// Sets the space's clock so far beside the system's.
    pub fn set_clock_offset(&self, offset: TimeDelta) {
        self.inner.clock.set_offset(offset);
    }

    /// Kills every link that was minted so far, before its time; new ones live.
    pub fn kill_links(&self) {
        self.inner.signer.kill();
    }

    /// Media links die after this time, whatever they promise; `None`: they keep their promise.
    pub fn set_real_link_life(&self, life: Option<Duration>) {
        self.configure(|options| options.real_link_life = life);
    }

    /// Puts a rule in force.
    pub fn inject(&self, rule: Rule) -> RuleId {
        self.inner.with_faults(|faults| faults.inject(rule))
    }

    /// Takes a rule back.
    pub fn remove_fault(&self, id: RuleId) {
        self.inner.with_faults(|faults| faults.remove(id));
    }

    /// Takes every rule back.
    pub fn clear_faults(&self) {
        self.inner.with_faults(Faults::clear);
    }

    /// How often a rule has acted.
    #[must_use]
    pub fn fired(&self, id: RuleId) -> u64 {
        self.inner.with_faults(|faults| faults.fired(id))
    }

    /// Every request seen, in the order they came; see [`Options::journal_cap`].
    #[must_use]
    pub fn journal(&self) -> Vec<Seen> {
        self.inner.journal.entries()
    }

    /// Totals since the start or the last [`Space::clear_journal`].
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.inner.journal.counters()
    }

    /// Forgets the requests seen.
    pub fn clear_journal(&self) {
        self.inner.journal.clear();
    }

    /// Waits until `predicate` holds of the journal.
    ///
    /// # Panics
    /// When it does not within 30 seconds.
    pub async fn wait_for(&self, predicate: impl FnMut(&[Seen]) -> bool) {
        self.inner.journal.wait_for(predicate).await;
    }
}
