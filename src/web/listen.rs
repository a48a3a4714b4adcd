//! Listens and serves connections. Not axum's own `serve`: a viewer must cost little memory, and a dead one must end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use listenfd::ListenFd;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service as _;

use super::guard::Peer;

/// Connections at a time; the others wait in the system's queue.
const CONNECTIONS: usize = 256;
/// How long a request's head may take, and a connection wait for the next one.
const HEAD: Duration = Duration::from_secs(20);
/// A connection that takes nothing for so long is closed. A player that was paused asks for the rest again.
const STALL: Duration = Duration::from_mins(5);
/// How long answers may take when the process stops.
const LAST_ANSWERS: Duration = Duration::from_secs(3);
/// What a connection may keep in memory: the head of a request, or the part of an answer that is not sent.
const BUFFER: usize = 16 << 10;
/// After a failure to accept, such as too many open files.
const AGAIN: Duration = Duration::from_millis(100);

/// Counts what a connection did, so that a stalled one is noticed.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps(pub(super) Arc<AtomicU64>);

/// Where viewers connect.
#[derive(Debug)]
pub enum Listener {
    /// An address.
    Tcp(TcpListener),
    /// A socket in the file system, for a proxy.
    Unix(UnixListener),
}

/// Sockets that the service manager opened, before a runtime can use them.
#[derive(Debug, Default)]
pub struct Activated {
    tcp: Vec<std::net::TcpListener>,
    unix: Vec<std::os::unix::net::UnixListener>,
}

impl Activated {
    /// Takes the sockets that the environment names (`LISTEN_FDS`, `LISTEN_PID`); none without them.
    ///
    /// # Errors
    /// One is neither a TCP nor a Unix listener.
    pub fn from_env() -> io::Result<Self> {
        let mut given = ListenFd::from_env();
        let mut sockets = Self::default();
        for nth in 0..given.len() {
            if let Ok(Some(socket)) = given.take_tcp_listener(nth) {
                socket.set_nonblocking(true)?;
                sockets.tcp.push(socket);
            } else if let Some(socket) = given.take_unix_listener(nth)? {
                socket.set_nonblocking(true)?;
                sockets.unix.push(socket);
            }
        }
        Ok(sockets)
    }

    /// The listeners; without any given, one on `listen`.
    ///
    /// # Errors
    /// The system's, such as an address that is in use.
    pub async fn or_listen(self, listen: SocketAddr) -> io::Result<Vec<Listener>> {
        let mut listeners = Vec::new();
        for socket in self.tcp {
            listeners.push(Listener::Tcp(TcpListener::from_std(socket)?));
        }
        for socket in self.unix {
            listeners.push(Listener::Unix(UnixListener::from_std(socket)?));
        }
        if listeners.is_empty() {
            listeners.push(Listener::Tcp(TcpListener::bind(listen).await?));
        }
        Ok(listeners)
    }
}

impl Listener {
    /// The address as a person would open it.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Tcp(socket) => match socket.local_addr() {
                Ok(address) => format!("http://{address}"),
                Err(error) => error.to_string(),
            },
            Self::Unix(socket) => {
                let address = socket.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname());
                path.map_or_else(
                    || "a Unix socket".to_owned(),
                    |path| path.display().to_string(),
                )
            }
        }
    }
}

/// Serves viewers of all listeners until `stop`, then finishes open answers, for a few seconds at most.
pub(super) async fn serve(listeners: Vec<Listener>, router: Router, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let loops = listeners.into_iter().map(|listener| {
        accept(
            listener,
            router.clone(),
            stop.clone(),
            connections.clone(),
            places.clone(),
        )
    });
    futures::future::join_all(loops).await;
    connections.close();
    _ = tokio::time::timeout(LAST_ANSWERS, connections.wait()).await;
}

async fn accept(
    listener: Listener,
    router: Router,
    stop: CancellationToken,
    connections: TaskTracker,
    places: Arc<Semaphore>,
) {
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let place = places.clone().acquire_owned().await.ok();
            let stream = match &listener {
                Listener::Tcp(socket) => socket.accept().await.map(|(stream, address)| {
                    _ = stream.set_nodelay(true);
                    Stream::Tcp(stream, address)
                }),
                Listener::Unix(socket) => socket
                    .accept()
                    .await
                    .map(|(stream, _)| Stream::Unix(stream)),
            };
            (place, stream)
        };
        let (place, stream) = tokio::select! {
            () = stop.cancelled() => return,
            accepted = accepted => accepted,
        };
        let (router, stop) = (router.clone(), stop.clone());
        match stream {
            Ok(Stream::Tcp(stream, address)) => {
                let peer = Peer::Address(address.ip());
                connections.spawn(async move {
                    connection(stream, peer, router, stop).await;
                    drop(place);
                });
            }
            Ok(Stream::Unix(stream)) => {
                connections.spawn(async move {
                    connection(stream, Peer::Socket, router, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

enum Stream {
    Tcp(tokio::net::TcpStream, SocketAddr),
    Unix(tokio::net::UnixStream),
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    router: Router,
    stop: CancellationToken,
) {
    let steps = Steps::default();
    let counted = steps.clone();
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        counted.0.fetch_add(1, Ordering::Relaxed);
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(counted.clone());
        router.clone().call(request)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let mut before = steps.0.load(Ordering::Relaxed);
    loop {
        tokio::select! {
            // Whatever ends a connection is the viewer's affair.
            _ = serving.as_mut() => return,
            () = stop.cancelled() => break,
            () = tokio::time::sleep(STALL) => {
                let now = steps.0.load(Ordering::Relaxed);
                if now == before {
                    return;
                }
                before = now;
            }
        }
    }
    serving.as_mut().graceful_shutdown();
    _ = serving.await;
}
