//! HTTP/1.1 by hand, so that an answer can be broken anywhere: requests are read with `httparse`,
//! answers written piece by piece as their [`Delivery`] tells.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};

use crate::gate::Gate;

/// The longest request head that is read.
const HEAD_MAX: usize = 64 << 10;
/// The longest piece written at once.
const PIECE_MAX: usize = 512 << 10;

#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub method: String,
    pub path: String,
    pub raw_query: String,
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let pair = self.headers.iter().find(|(key, _)| key == name)?;
        Some(&pair.1)
    }

    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        let pair = self.query.iter().find(|(key, _)| key == name)?;
        Some(&pair.1)
    }

    pub(crate) fn remove_header(&mut self, name: &str) {
        self.headers.retain(|(key, _)| key != name);
    }

    fn new(parsed: &httparse::Request<'_, '_>) -> Self {
        let target = parsed.path.unwrap_or_default();
        let (path, raw_query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = raw_query.split('&').filter(|pair| !pair.is_empty());
        let query = pairs.map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        });
        let headers = parsed.headers.iter().map(|header| {
            let value = String::from_utf8_lossy(header.value).into_owned();
            (header.name.to_ascii_lowercase(), value)
        });
        Self {
            method: parsed.method.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: query.collect(),
            raw_query: raw_query.to_owned(),
            headers: headers.collect(),
        }
    }
}

fn decode(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

/// Reads the next request of a connection; `None` when the peer is done. `buffer` keeps what came early.
pub(crate) async fn read(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<Request>> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Request::new(&mut headers);
        let status = parsed.parse(buffer).map_err(io::Error::other)?;
        if let httparse::Status::Complete(head) = status {
            let request = Request::new(&parsed);
            let body = request.header("content-length").unwrap_or("0");
            let body: usize = body.parse().map_err(io::Error::other)?;
            while buffer.len() < head + body {
                if stream.read_buf(buffer).await? == 0 {
                    return Ok(None);
                }
            }
            buffer.drain(..head + body);
            return Ok(Some(request));
        }
        if buffer.len() > HEAD_MAX {
            return Err(io::Error::other("the request's head is too long"));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

/// A body: its pieces, and its length where it is known.
pub(crate) struct Body {
    pub len: Option<u64>,
    pub pieces: Box<dyn Iterator<Item = Bytes> + Send>,
}

impl Body {
    pub(crate) fn of(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            len: Some(bytes.len() as u64),
            pieces: Box::new(std::iter::once(bytes)),
        }
    }

    /// All its bytes; only for bodies made by [`Body::of`] and other short ones.
    pub(crate) fn gather(self) -> Bytes {
        let mut pieces = self.pieces;
        let first = pieces.next().unwrap_or_default();
        let mut all = Vec::new();
        for piece in pieces {
            all.extend(piece);
        }
        if all.is_empty() {
            return first;
        }
        [&first[..], &all].concat().into()
    }
}

/// How a body's end is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `Content-Length`, the true one.
    Length,
    /// `Content-Length`, this one.
    Declared(u64),
    Chunked,
    /// By closing the connection.
    Close,
}

/// What happens in mid-body.
#[derive(Debug, Clone)]
pub(crate) enum Break {
    Close,
    Reset,
    /// Goes on when the gate opens.
    Hold(Gate),
}

/// How an answer goes over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub framing: Framing,
    /// After how many bytes of the body what happens.
    pub breaks: Option<(u64, Break)>,
    pub bytes_per_second: Option<u64>,
    /// Pieces of this size, with a pause after each.
    pub trickle: Option<(usize, Duration)>,
    /// The same of the head.
    pub trickle_head: Option<(usize, Duration)>,
}

pub(crate) struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Body,
    pub delivery: Delivery,
}

impl Response {
    pub(crate) fn new(status: u16, body: Body) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
            delivery: Delivery {
                framing: Framing::Length,
                breaks: None,
                bytes_per_second: None,
                trickle: None,
                trickle_head: None,
            },
        }
    }

    pub(crate) fn json(status: u16, value: &Value) -> Self {
        let body = Body::of(serde_json::to_vec(value).unwrap_or_default());
        Self::new(status, body).header("content-type", "application/json; charset=utf-8")
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.set_header(name, value);
        self
    }

    /// Sets a header in place of what it was.
    pub(crate) fn set_header(&mut self, name: &str, value: impl Into<String>) {
        self.remove_header(name);
        self.headers.push((name.to_owned(), value.into()));
    }

    pub(crate) fn remove_header(&mut self, name: &str) {
        self.headers
            .retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }

    fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        let mut line = |name: &str, value: &str| {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        };
        for (name, value) in &self.headers {
            line(name, value);
        }
        match (self.delivery.framing, self.body.len) {
            // These have no body and tell no length.
            (Framing::Length, _) if matches!(self.status, 204 | 304) => {}
            (Framing::Declared(len), _) | (Framing::Length, Some(len)) => {
                line("content-length", &len.to_string());
            }
            (Framing::Chunked, _) => line("transfer-encoding", "chunked"),
            (Framing::Close | Framing::Length, _) => line("connection", "close"),
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        410 => "Gone",
        412 => "Precondition Failed",
        416 => "Range Not Satisfiable",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}

/// Writes an answer; `sent` hears of each piece of the body. `Ok(true)`: the connection can go on.
pub(crate) async fn deliver(
    stream: &mut TcpStream,
    response: Response,
    with_body: bool,
    mut sent: impl FnMut(u64),
) -> io::Result<bool> {
    let head = response.head();
    match response.delivery.trickle_head {
        None => stream.write_all(&head).await?,
        Some((size, pause)) => {
            for piece in head.chunks(size.max(1)) {
                stream.write_all(piece).await?;
                sleep(pause).await;
            }
        }
    }
    let Response { body, delivery, .. } = response;
    if !with_body {
        return Ok(delivery.framing != Framing::Close);
    }
    let chunked = delivery.framing == Framing::Chunked;
    let started = Instant::now();
    let mut total = 0;
    let mut breaks = delivery.breaks.clone();
    let mut pieces = body.pieces;
    let mut rest = Bytes::new();
    loop {
        if let Some((_, event)) = breaks.take_if(|(after, _)| *after <= total) {
            match event {
                Break::Close => return Ok(false),
                Break::Reset => {
                    reset(stream).await?;
                    return Ok(false);
                }
                Break::Hold(gate) => gate.pass().await,
            }
        }
        while rest.is_empty() {
            match pieces.next() {
                Some(next) => rest = next,
                None => return finish(stream, delivery.framing, body.len, total).await,
            }
        }
        let until_break = breaks.as_ref().map_or(u64::MAX, |(after, _)| after - total);
        let until_break = usize::try_from(until_break).unwrap_or(usize::MAX);
        let most = piece_size(&delivery).min(until_break);
        let piece = rest.split_to(rest.len().min(most));
        if chunked {
            let size = format!("{:x}\r\n", piece.len());
            stream.write_all(size.as_bytes()).await?;
        }
        stream.write_all(&piece).await?;
        if chunked {
            stream.write_all(b"\r\n").await?;
        }
        total += piece.len() as u64;
        sent(piece.len() as u64);
        if let Some((_, pause)) = delivery.trickle {
            sleep(pause).await;
        }
        if let Some(rate) = delivery.bytes_per_second {
            let due = Duration::from_millis(total.saturating_mul(1000) / rate.max(1));
            sleep_until(started + due).await;
        }
    }
}

fn piece_size(delivery: &Delivery) -> usize {
    if let Some((size, _)) = delivery.trickle {
        return size.max(1);
    }
    // Fifty pieces a second are smooth enough.
    let paced = delivery.bytes_per_second.map_or(u64::MAX, |rate| rate / 50);
    usize::try_from(paced)
        .unwrap_or(PIECE_MAX)
        .clamp(1, PIECE_MAX)
}

async fn finish(
    stream: &mut TcpStream,
    framing: Framing,
    len: Option<u64>,
    total: u64,
) -> io::Result<bool> {
    match framing {
        Framing::Length => Ok(len == Some(total)),
        Framing::Declared(declared) => Ok(declared == total),
        Framing::Chunked => stream.write_all(b"0\r\n\r\n").await.map(|()| true),
        Framing::Close => Ok(false),
    }
}

/// Ends the connection with a RST.
pub(crate) async fn reset(stream: &mut TcpStream) -> io::Result<()> {
    // What is still unsent is lost with the RST; a moment lets the peer take it.
    sleep(Duration::from_millis(5)).await;
    stream.set_zero_linger()
}
