//! Lines to media hosts: TCP and TLS, read from the kernel in pieces larger than TLS asks for.
//!
//! rustls asks for 4 KiB at a time, five system calls for each record of 16 KiB.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use hyper::Uri;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use super::addresses::CheckedResolver;

/// Bytes read from the kernel at a time.
const AHEAD: usize = 64 << 10;
/// A connection whose other end is gone without a word is found out after this much silence, three times.
const KEEPALIVE: Duration = Duration::from_secs(15);

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Connects to media hosts.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    https: HttpsConnector<Tcp>,
    timeout: Duration,
}

impl Connector {
    /// Gives up on a host after `timeout`, TLS included.
    pub(super) fn new(tls: ClientConfig, resolver: CheckedResolver, timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(KEEPALIVE));
        tcp.set_keepalive_retries(Some(3));
        tcp.set_connect_timeout(Some(timeout));
        Self {
            https: HttpsConnector::from((Tcp(tcp), Arc::new(tls))),
            timeout,
        }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<ReadAhead<TokioIo<TcpStream>>>;
    type Error = Failed;
    type Future = BoxFuture<'static, Result<Self::Response, Failed>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connected = tokio::time::timeout(self.timeout, self.https.call(uri));
        Box::pin(async {
            connected
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
        })
    }
}

/// Connects without TLS.
#[derive(Debug, Clone)]
pub(super) struct Tcp(HttpConnector<CheckedResolver>);

impl Service<Uri> for Tcp {
    type Response = ReadAhead<TokioIo<TcpStream>>;
    type Error = Failed;
    type Future = BoxFuture<'static, Result<Self::Response, Failed>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        self.0.poll_ready(context).map_err(Failed::from)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connected = self.0.call(uri);
        Box::pin(async { Ok(ReadAhead::new(connected.await?)) })
    }
}

/// A line that is read ahead.
pub(super) struct ReadAhead<T> {
    line: T,
    buffer: Box<[u8]>,
    /// What of the buffer has come and was not asked for yet.
    start: usize,
    end: usize,
}

impl<T> ReadAhead<T> {
    fn new(line: T) -> Self {
        Self {
            line,
            buffer: vec![0; AHEAD].into(),
            start: 0,
            end: 0,
        }
    }
}

impl<T: Read + Unpin> Read for ReadAhead<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.start == this.end {
            if into.remaining() >= this.buffer.len() {
                return Pin::new(&mut this.line).poll_read(context, into);
            }
            let mut ahead = ReadBuf::new(&mut this.buffer);
            ready!(Pin::new(&mut this.line).poll_read(context, ahead.unfilled()))?;
            (this.start, this.end) = (0, ahead.filled().len());
        }
        let held = &this.buffer[this.start..this.end];
        let taken = held.len().min(into.remaining());
        into.put_slice(&held[..taken]);
        this.start += taken;
        Poll::Ready(Ok(()))
    }
}

impl<T: Write + Unpin> Write for ReadAhead<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.line).poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.line.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.line).poll_write_vectored(context, from)
    }
}

impl<T: Connection> Connection for ReadAhead<T> {
    fn connected(&self) -> Connected {
        self.line.connected()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn whatever_is_asked_for_at_a_time_every_byte_comes_once_and_in_order() {
        let sent: Vec<u8> = (0..3 * AHEAD + 7)
            .map(|at| u8::try_from(at % 251).unwrap())
            .collect();
        for most in [1000, AHEAD - 1, AHEAD, 2 * AHEAD] {
            let mut line = TokioIo::new(ReadAhead::new(TokioIo::new(sent.as_slice())));
            let mut got = Vec::new();
            let mut buffer = vec![0; most];
            // Small reads between large ones: some find a few bytes held, some none.
            for want in [1, most].into_iter().cycle() {
                let read = line.read(&mut buffer[..want]).await.unwrap();
                if read == 0 {
                    break;
                }
                got.extend_from_slice(&buffer[..read]);
            }
            assert!(got == sent, "{most} bytes at a time");
        }
    }
}
