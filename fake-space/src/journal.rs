//! The journal: every request the space saw and how it was answered, for tests to look at and wait on.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::http::Request;

/// Which of the two servers a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The video API.
    Api,
    /// The media store.
    Media,
}

/// A request and its answer so far.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The server it came to.
    pub origin: Origin,
    /// The method.
    pub method: String,
    /// The path as it came.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The query as it came.
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
    /// The status it was answered; 0 before an answer, and for a connection that was cut instead.
    pub status: u16,
    /// Bytes of the body that were handed to the network so far.
    pub body_bytes_sent: u64,
    /// Whether the space is done with it.
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

    /// Whether it came to the API.
    #[must_use]
    pub fn is_api(&self) -> bool {
        self.origin == Origin::Api
    }

    /// Whether it came to the media store.
    #[must_use]
    pub fn is_media(&self) -> bool {
        self.origin == Origin::Media
    }
}

/// Totals since the start or the last clearing.
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
struct Pages {
    /// Number of the first entry that is still held.
    first: u64,
    seen: VecDeque<Seen>,
    counters: Counters,
}

/// Entries of a running space. Only the newest `cap` are held, so that a benchmark's million fit.
#[derive(Debug)]
pub(crate) struct Journal {
    pages: Mutex<Pages>,
    changed: Notify,
    cap: usize,
}

impl Journal {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            pages: Mutex::default(),
            changed: Notify::new(),
            cap,
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Pages) -> T) -> T {
        work(&mut self.pages.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes a request down; the number it gets is for [`Journal::update`].
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
        let number = self.with(|pages| {
            match origin {
                Origin::Api => pages.counters.api_requests += 1,
                Origin::Media => pages.counters.media_requests += 1,
            }
            pages.seen.push_back(seen);
            if pages.seen.len() > self.cap {
                pages.seen.pop_front();
                pages.first += 1;
            }
            pages.first + pages.seen.len() as u64 - 1
        });
        self.changed.notify_waiters();
        number
    }

    /// Changes an entry, if it is still held.
    pub(crate) fn update(&self, number: u64, change: impl FnOnce(&mut Seen)) {
        self.with(|pages| {
            let at = number.checked_sub(pages.first)?;
            let entry = pages.seen.get_mut(usize::try_from(at).ok()?)?;
            change(entry);
            Some(())
        });
        self.changed.notify_waiters();
    }

    /// Counts bytes of a body.
    pub(crate) fn sent(&self, number: u64, origin: Origin, bytes: u64) {
        self.with(|pages| match origin {
            Origin::Api => pages.counters.api_bytes += bytes,
            Origin::Media => pages.counters.media_bytes += bytes,
        });
        self.update(number, |seen| seen.body_bytes_sent += bytes);
    }

    pub(crate) fn entries(&self) -> Vec<Seen> {
        self.with(|pages| pages.seen.iter().cloned().collect())
    }

    pub(crate) fn counters(&self) -> Counters {
        self.with(|pages| pages.counters)
    }

    pub(crate) fn clear(&self) {
        self.with(|pages| {
            pages.first += pages.seen.len() as u64;
            pages.seen.clear();
            pages.counters = Counters::default();
        });
    }

    /// Waits until `predicate` holds of the entries.
    pub(crate) async fn wait_for(&self, mut predicate: impl FnMut(&[Seen]) -> bool) {
        let met = async {
            loop {
                let mut changed = std::pin::pin!(self.changed.notified());
                // Registered before the look, so that no change in between is missed.
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
            panic!("the journal did not come to hold it in 30 s: {seen:#?}");
        }
    }
}
