//! A running space: its two servers, and what only a running space can do.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::faults::{Faults, Rule, RuleId};
use crate::journal::{Counters, Journal, Origin, Seen};
use crate::lock::locked;
use crate::options::Options;
use crate::server::{self, Shared};
use crate::state::State;

/// The task of one origin, while it accepts connections.
struct Server {
    origin: Origin,
    address: SocketAddr,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// Both servers; they stop when the last handle is dropped.
struct Servers {
    api: Server,
    media: Server,
    runtime: Handle,
    /// Ends the servers' own thread, if they have one, by being dropped.
    _thread: Option<oneshot::Sender<()>>,
}

impl Servers {
    fn of(&self, origin: Origin) -> &Server {
        match origin {
            Origin::Api => &self.api,
            Origin::Media => &self.media,
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for server in [&self.api, &self.media] {
            locked(&server.task, |task| task.take().map(|task| task.abort()));
        }
    }
}

/// A handle to a running space; cheap to clone. The space stops when the last handle is dropped.
///
/// What the space holds and how it behaves is its [`State`], to which this dereferences.
#[derive(Clone)]
pub struct Space {
    shared: Arc<Shared>,
    servers: Arc<Servers>,
}

impl Deref for Space {
    type Target = State;

    fn deref(&self) -> &State {
        &self.shared.state
    }
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
    /// Starts an empty space on two loopback ports, served by the current runtime.
    ///
    /// # Errors
    /// When a port can't be bound.
    pub async fn start(options: Options) -> io::Result<Self> {
        Self::start_with(options, None).await
    }

    /// Starts an empty space that is served by its own thread: for tests that block, such as those that
    /// run a program and wait for it, and for benchmarks.
    ///
    /// # Errors
    /// When a port can't be bound or the thread can't be started.
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
        let api = bind(options.api_port).await?;
        let media = bind(options.media_port).await?;
        let (api_address, media_address) = (api.local_addr()?, media.local_addr()?);
        let shared = Arc::new(Shared {
            journal: Journal::new(options.journal_cap),
            state: State::new(options, api_address, media_address),
            faults: Mutex::default(),
        });
        let serve = |origin, address, listener| Server {
            origin,
            address,
            task: Mutex::new(Some(tokio::spawn(server::run(
                Arc::clone(&shared),
                origin,
                listener,
            )))),
        };
        let servers = Servers {
            api: serve(Origin::Api, api_address, api),
            media: serve(Origin::Media, media_address, media),
            runtime: Handle::current(),
            _thread: thread,
        };
        Ok(Self {
            servers: Arc::new(servers),
            shared,
        })
    }

    /// Stops both servers and closes every connection.
    pub async fn shutdown(&self) {
        self.refuse_connections(Origin::Api).await;
        self.refuse_connections(Origin::Media).await;
    }

    /// Stops one of the servers: its connections are closed, new ones refused.
    pub async fn refuse_connections(&self, origin: Origin) {
        let server = self.servers.of(origin);
        if let Some(task) = locked(&server.task, Option::take) {
            task.abort();
            // The port is free once the task has ended; the error only says that it was aborted.
            let _ = task.await;
        }
    }

    /// Accepts connections again, on the same port as before.
    ///
    /// # Errors
    /// When another process has taken the port.
    pub async fn accept_connections(&self, origin: Origin) -> io::Result<()> {
        let server = self.servers.of(origin);
        if locked(&server.task, |task| task.is_some()) {
            return Ok(());
        }
        // A listener works only with the runtime that it was created in.
        let runtime = &self.servers.runtime;
        let bound = runtime.spawn(bind(server.address.port())).await;
        let listener = bound.map_err(io::Error::other)??;
        let task = runtime.spawn(server::run(
            Arc::clone(&self.shared),
            server.origin,
            listener,
        ));
        locked(&server.task, |held| *held = Some(task));
        Ok(())
    }

    fn with_faults<R>(&self, work: impl FnOnce(&mut Faults) -> R) -> R {
        locked(&self.shared.faults, work)
    }

    /// Adds a rule to those in force.
    pub fn inject(&self, rule: Rule) -> RuleId {
        self.with_faults(|faults| faults.inject(rule))
    }

    /// Removes a rule.
    pub fn remove_fault(&self, id: RuleId) {
        self.with_faults(|faults| faults.remove(id));
    }

    /// Removes every rule.
    pub fn clear_faults(&self) {
        self.with_faults(Faults::clear);
    }

    /// How often a rule has acted.
    #[must_use]
    pub fn fired(&self, id: RuleId) -> u64 {
        self.with_faults(|faults| faults.fired(id))
    }

    /// Every request so far, oldest first; see [`Options::journal_cap`].
    #[must_use]
    pub fn journal(&self) -> Vec<Seen> {
        self.shared.journal.entries()
    }

    /// Totals since the start or the last [`Space::clear_journal`].
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.journal.counters()
    }

    /// Empties the journal and resets the counters.
    pub fn clear_journal(&self) {
        self.shared.journal.clear();
    }

    /// Waits until the journal meets the condition.
    ///
    /// # Panics
    /// When it does not within 30 seconds.
    pub async fn wait_for(&self, condition: impl FnMut(&[Seen]) -> bool) {
        self.shared.journal.wait_for(condition).await;
    }
}
