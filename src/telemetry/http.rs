//! `/metrics` and `/healthz` on one listener, for monitoring on the same machine or network.

mod accept;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;
use crate::escape;

/// How long answers may still take when the process stops.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

/// The problems that `/healthz` shows, a line each; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Vec<String>>>);

impl Health {
    /// Replaces the problems. Anyone who can connect reads them: no links, no secrets.
    pub fn set(&self, problems: Vec<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = problems;
    }

    /// The problems, each on a line of its own; empty while there are none.
    #[must_use]
    pub fn lines(&self) -> String {
        let problems = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = problems.iter().map(|problem| escape::line(problem));
        lines.flat_map(|line| [line, "\n".into()]).collect()
    }
}

/// Why `telemetry.listen` does not work.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Another program listens there.
    #[error(
        "could not listen on {0}, another program does: set telemetry.listen to another port, or stop that program"
    )]
    InUse(SocketAddr),
    /// The system refuses the address: not of this machine, or a privileged port.
    #[error("could not listen on {address} (telemetry.listen)")]
    Bind {
        /// The refused address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
}

/// A bound listener that does not answer yet.
#[derive(Debug)]
pub struct Server(TcpListener);

impl Server {
    /// Binds the first address (port 0: any free one); the next one where the machine does not have its family.
    ///
    /// # Errors
    ///
    /// See [`ListenError`].
    ///
    /// # Panics
    ///
    /// Without an address.
    pub async fn bind(addresses: &[SocketAddr]) -> Result<Self, ListenError> {
        let (address, others) = addresses.split_first().expect("an address");
        match TcpListener::bind(address).await {
            Ok(listener) => Ok(Self(listener)),
            Err(error) if lacks_family(&error) && !others.is_empty() => {
                Box::pin(Self::bind(others)).await
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                Err(ListenError::InUse(*address))
            }
            Err(source) => Err(ListenError::Bind {
                address: *address,
                source,
            }),
        }
    }

    /// The address it is bound to.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Answers until `stop`, then finishes open requests, for a few seconds at most.
    ///
    /// # Errors
    ///
    /// The listener fails.
    pub async fn serve(
        self,
        metrics: Metrics,
        health: Health,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let serving = axum::serve(self.0, router(metrics, health))
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        let too_long = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_ANSWERS).await;
        };
        tokio::select! {
            end = serving.into_future() => end,
            // A client that never ends its request must not delay the stop.
            () = too_long => Ok(()),
        }
    }
}

/// Whether the machine has no IPv6, say.
fn lacks_family(error: &io::Error) -> bool {
    let code = error
        .raw_os_error()
        .map(rustix::io::Errno::from_raw_os_error);
    matches!(
        code,
        Some(rustix::io::Errno::AFNOSUPPORT | rustix::io::Errno::ADDRNOTAVAIL)
    )
}

fn router(metrics: Metrics, health: Health) -> Router {
    Router::new()
        .route("/metrics", get(show_metrics).with_state(metrics))
        .route("/healthz", get(show_health).with_state(health))
}

async fn show_metrics(State(metrics): State<Metrics>, headers: HeaderMap) -> impl IntoResponse {
    let (kind, text) = if accept::open_metrics(&headers) {
        (accept::OPEN_METRICS, metrics.open_metrics())
    } else {
        (accept::TEXT, metrics.text())
    };
    ([(CONTENT_TYPE, kind), (VARY, "accept")], text)
}

async fn show_health(State(health): State<Health>) -> impl IntoResponse {
    match health.lines() {
        none if none.is_empty() => (StatusCode::OK, "ok\n".to_owned()),
        problems => (StatusCode::SERVICE_UNAVAILABLE, problems),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::net::{IpAddr, Ipv4Addr};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::clock::Clock;

    const ANY: [SocketAddr; 1] = [SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)];

    async fn get(address: SocketAddr, path: &str) -> String {
        get_with(address, path, "").await
    }

    async fn get_with(address: SocketAddr, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("a listener");
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        answer
    }

    #[tokio::test]
    async fn metrics_and_health_are_served_until_the_stop() {
        let server = Server::bind(&ANY).await.expect("a free port");
        let address = server.address().expect("an address");
        let (health, stop) = (Health::default(), CancellationToken::new());
        let metrics = Metrics::new("0.1.0", &Clock::system());
        let serving = tokio::spawn(server.serve(metrics, health.clone(), stop.clone()));

        let answer = get(address, "/metrics").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let kind = "content-type: text/plain; version=0.0.4; charset=utf-8\r\n";
        assert!(answer.contains(kind), "{answer}");
        assert!(
            answer.contains("\n# TYPE room_archiver_api_requests_total counter\n"),
            "{answer}"
        );
        assert!(!answer.contains("# EOF"), "{answer}");

        let accept = "accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";
        let answer = get_with(address, "/metrics", accept).await;
        let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
        assert!(answer.contains(kind), "{answer}");
        assert!(
            answer.contains("\n# TYPE room_archiver_api_requests counter\n"),
            "{answer}"
        );
        assert!(answer.ends_with("\n# EOF\n"), "{answer}");

        let answer = get(address, "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nok\n"), "{answer}");

        health.set(vec![
            "credentials: refused\nHTTP".to_owned(),
            "disk: only 1 GiB is free".to_owned(),
        ]);
        let answer = get(address, "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(
            answer.ends_with("credentials: refused\\u000AHTTP\ndisk: only 1 GiB is free\n"),
            "{answer}"
        );

        health.set(Vec::new());
        assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        assert!(get(address, "/").await.starts_with("HTTP/1.1 404"));

        stop.cancel();
        let end = tokio::time::timeout(Duration::from_secs(10), serving).await;
        end.expect("in time").expect("no panic").expect("no error");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_ends_its_request_does_not_hold_up_the_stop() {
        let server = Server::bind(&ANY).await.expect("a free port");
        let address = server.address().expect("an address");
        let stop = CancellationToken::new();
        let serving = server.serve(
            Metrics::new("0", &Clock::system()),
            Health::default(),
            stop.clone(),
        );
        let serving = tokio::spawn(serving);
        let mut stream = TcpStream::connect(address).await.expect("a listener");
        stream.write_all(b"GET /metr").await.expect("sent");
        get(address, "/healthz").await;
        stop.cancel();
        let end = tokio::time::timeout(LAST_ANSWERS * 2, serving).await;
        end.expect("in time").expect("no panic").expect("no error");
    }

    #[tokio::test]
    async fn an_address_that_does_not_work_is_named_with_its_key() {
        let server = Server::bind(&ANY).await.expect("a free port");
        let address = server.address().expect("an address");
        let error = Server::bind(&[address]).await.expect_err("in use");
        let text = error.to_string();
        assert!(
            text.starts_with(&format!(
                "could not listen on {address}, another program does: set telemetry.listen"
            )),
            "{text}"
        );
        let elsewhere = SocketAddr::from(([192, 0, 2, 1], 9464));
        let error = Server::bind(&[elsewhere])
            .await
            .expect_err("not of this machine");
        assert_eq!(
            error.to_string(),
            "could not listen on 192.0.2.1:9464 (telemetry.listen)"
        );
        assert!(error.source().is_some());
        // The same error passes the turn to the address of the other family.
        let server = Server::bind(&[elsewhere, ANY[0]])
            .await
            .expect("a free port");
        assert!(server.address().expect("an address").ip().is_loopback());
    }
}
