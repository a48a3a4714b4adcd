//! Responses, and how each is sent.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::gate::Gate;

/// The pieces of a body, and its length if it is known.
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

    /// All its bytes, in memory: for the short bodies of the API, not for media.
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

/// How the receiver knows where the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// The true `Content-Length`.
    Length,
    /// This `Content-Length`, whatever the body's length is.
    Declared(u64),
    Chunked,
    /// The connection ends.
    Close,
}

/// What interrupts a body.
#[derive(Debug, Clone)]
pub(crate) enum Break {
    Close,
    Reset,
    /// Stops until the gate opens.
    Hold(Gate),
}

/// How a response is sent.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub framing: Framing,
    /// After so many bytes of the body, this happens.
    pub breaks: Option<(u64, Break)>,
    pub bytes_per_second: Option<u64>,
    /// Pieces of this size, with a pause after each.
    pub trickle: Option<(usize, Duration)>,
    /// The same for the head.
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
        Self::new(status, body).with_header("content-type", "application/json; charset=utf-8")
    }

    /// The documented body of an error: the status in words.
    pub(crate) fn error(status: u16) -> Self {
        Self::json(status, &json!({ "error": reason(status) }))
    }

    pub(crate) fn redirect(status: u16, location: &str) -> Self {
        Self::new(status, Body::of("")).with_header("location", location)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let pair = headers.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(&pair.1)
    }

    pub(crate) fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.set_header(name, value);
        self
    }

    /// Replaces every header of this name.
    pub(crate) fn set_header(&mut self, name: &str, value: impl Into<String>) {
        self.remove_header(name);
        self.headers.push((name.to_owned(), value.into()));
    }

    pub(crate) fn remove_header(&mut self, name: &str) {
        self.headers
            .retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }

    pub(super) fn head(&self) -> Vec<u8> {
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
            // These have no body and therefore no length.
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

/// A time in the format of HTTP headers.
pub(crate) fn date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

pub(crate) fn reason(status: u16) -> &'static str {
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
