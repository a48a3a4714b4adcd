//! The journal: every request to the space and its response, for tests to check and to wait for.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;

use crate::http::Request;
use crate::lock::locked;

/// One of the two servers of a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The video API.
    Api,
    /// The media store.
    Media,
}

/// A request, and its response as far as it was sent.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The server that received it.
    pub origin: Origin,
    /// `GET`, `DELETE`, …
    pub method: String,
    /// The path, still percent-encoded.
    pub path: String,
    /// The parameters of the query, decoded.
    pub query: Vec<(String, String)>,
    /// The query, still percent-encoded.
    pub raw_query: String,
    /// Every header, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `Referer` header.
    pub referer: Option<String>,
    /// The `Range` header.
    pub range: Option<String>,
    /// The `If-Range` header.
    pub if_range: Option<String>,
    /// The `Accept-Encoding` header.
    pub accept_encoding: Option<String>,
    /// The status of the response; 0 while there is none, and if the connection was closed instead.
    pub status: u16,
    /// Bytes of the body that were passed to the kernel so far.
    pub body_bytes_sent: u64,
    /// Whether the response was sent, or the connection closed.
    pub finished: bool,
}

impl Seen {
    /// The value of a query parameter.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        let pair = self.query.iter().find(|(key, _)| key == name)?;
        Some(&pair.1)
    }

    /// The value of a header; its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let pair = self.headers.iter().find(|(key, _)| key == name)?;
        Some(&pair.1)
    }

    /// Whether the media store received it.
    #[must_use]
    pub fn is_media(&self) -> bool {
        self.origin == Origin::Media
    }
}

/// Totals since the start or since the journal was last cleared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests to the API.
    pub api_requests: u64,
    /// Requests to the media store.
    pub media_requests: u64,
    /// Bytes of bodies sent by the API.
    pub api_bytes: u64,
    /// Bytes of bodies sent by the media store.
    pub media_bytes: u64,
}

#[derive(Debug, Default)]
struct Entries {
    /// Number of the oldest entry that is still held.
    first: u64,
    seen: VecDeque<Seen>,
    counters: Counters,
}

/// Only the newest `cap` entries are held, so that a benchmark of a million requests fits in memory.
#[derive(Debug)]
pub(crate) struct Journal {
    entries: Mutex<Entries>,
    changed: Notify,
    cap: usize,
}

impl Journal {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            entries: Mutex::default(),
            changed: Notify::new(),
            cap,
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Entries) -> T) -> T {
        locked(&self.entries, work)
    }

    /// Adds a request; returns its number for [`Journal::update`].
    pub(crate) fn push(&self, origin: Origin, request: &Request) -> u64 {
        let header = |name| request.header(name).map(str::to_owned);
        let seen = Seen {
            origin,
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            raw_query: request.raw_query.clone(),
            headers: request.headers.clone(),
            authorization: header("authorization"),
            referer: header("referer"),
            range: header("range"),
            if_range: header("if-range"),
            accept_encoding: header("accept-encoding"),
            status: 0,
            body_bytes_sent: 0,
            finished: false,
        };
        let number = self.with(|entries| {
            match origin {
                Origin::Api => entries.counters.api_requests += 1,
                Origin::Media => entries.counters.media_requests += 1,
            }
            entries.seen.push_back(seen);
            if entries.seen.len() > self.cap {
                entries.seen.pop_front();
                entries.first += 1;
            }
            entries.first + entries.seen.len() as u64 - 1
        });
        self.changed.notify_waiters();
        number
    }

    /// Changes an entry, if it is still held.
    pub(crate) fn update(&self, number: u64, change: impl FnOnce(&mut Seen)) {
        self.with(|entries| {
            let at = number.checked_sub(entries.first)?;
            let entry = entries.seen.get_mut(usize::try_from(at).ok()?)?;
            change(entry);
            Some(())
        });
        self.changed.notify_waiters();
    }

    /// Counts bytes of a response's body.
    pub(crate) fn sent(&self, number: u64, origin: Origin, bytes: u64) {
        self.with(|entries| match origin {
            Origin::Api => entries.counters.api_bytes += bytes,
            Origin::Media => entries.counters.media_bytes += bytes,
        });
        self.update(number, |seen| seen.body_bytes_sent += bytes);
    }

    pub(crate) fn entries(&self) -> Vec<Seen> {
        self.with(|entries| entries.seen.iter().cloned().collect())
    }

    pub(crate) fn counters(&self) -> Counters {
        self.with(|entries| entries.counters)
    }

    pub(crate) fn clear(&self) {
        self.with(|entries| {
            entries.first += entries.seen.len() as u64;
            entries.seen.clear();
            entries.counters = Counters::default();
        });
    }

    /// Waits until `predicate` holds of the entries.
    pub(crate) async fn wait_for(&self, mut predicate: impl FnMut(&[Seen]) -> bool) {
        let met = async {
            loop {
                let mut changed = std::pin::pin!(self.changed.notified());
                // Registered before the check, so that no change in between is missed.
                changed.as_mut().enable();
                if predicate(&self.entries()) {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(30), met)
            .await
            .is_err()
        {
            let seen: Vec<String> = self
                .entries()
                .iter()
                .map(|seen| format!("{} {} → {}", seen.method, seen.path, seen.status))
                .collect();
            panic!("the journal did not meet the condition within 30 s: {seen:#?}");
        }
    }
}
