//! The API client: Basic credentials, one exact origin, no redirects, bounded answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::redirect::Policy;
use url::Url;

use super::limits::{self, Limits};
use super::refusals::Refusals;
use crate::clock::Clock;
use crate::cooldown::Cooldowns;
use crate::model::ApiToken;

/// The API's address, the credentials, and limits of requests.
#[derive(Debug, Clone)]
pub struct Options {
    /// The space's origin.
    pub base: Url,
    /// User name of the Basic credentials.
    pub project_id: String,
    /// Their password.
    pub token: ApiToken,
    /// Rows per page, 1–1000.
    pub page_size: u32,
    /// The requested lifetime of media links, 60–604800 s.
    pub media_ttl: Duration,
    /// Time limit for opening a connection.
    pub connect_timeout: Duration,
    /// Time limit for a request and its whole answer.
    pub request_timeout: Duration,
    /// The wait before a failed request is sent again; doubled each time.
    pub retry_delay: Duration,
    /// PEM certificates of private authorities to trust besides the system's.
    pub ca: Vec<reqwest::Certificate>,
    /// Counts the requests; clients that follow one another share it.
    pub requests: Arc<AtomicU64>,
}

/// The client of one space's API.
#[derive(Debug)]
pub struct Client {
    pub(super) http: reqwest::Client,
    pub(super) options: Options,
    pub(super) clock: Clock,
    pub(super) cooldowns: Cooldowns,
    /// Milliseconds that the server's clock is ahead of ours; `i64::MIN`: no answer yet.
    pub(super) ahead: AtomicI64,
    pub(super) limits: Limits,
    pub(super) refusals: Refusals,
}

impl Client {
    /// A client for one space.
    ///
    /// # Errors
    /// The TLS library's, if the system's certificates or `options.ca` can't be used.
    pub fn new(options: Options, clock: Clock, cooldowns: Cooldowns) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("room-archiver/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .http1_only()
            .connect_timeout(options.connect_timeout)
            .timeout(options.request_timeout)
            .tls_certs_merge(options.ca.clone())
            .build()?;
        Ok(Self {
            http,
            limits: Limits::new(options.page_size, options.media_ttl),
            refusals: Refusals::default(),
            options,
            clock,
            cooldowns,
            ahead: AtomicI64::new(i64::MIN),
        })
    }

    /// The server's time: our clock, corrected by the `Date` of the last answer.
    #[must_use]
    pub fn upstream_now(&self) -> DateTime<Utc> {
        self.clock.now() + self.skew().unwrap_or_default()
    }

    /// How far the server's clock is ahead of ours, to the second; `None` before the first answer.
    #[must_use]
    pub fn skew(&self) -> Option<TimeDelta> {
        match self.ahead.load(Ordering::Relaxed) {
            i64::MIN => None,
            ahead => TimeDelta::try_milliseconds(ahead),
        }
    }

    /// Requests sent so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.options.requests.load(Ordering::Relaxed)
    }

    /// The lifetime of links in lists: the configured one, or the default if the space refused it.
    #[must_use]
    pub fn media_ttl(&self) -> Duration {
        self.limits.media_ttl()
    }

    /// Rows per page that the space allows; 0: its default.
    #[must_use]
    pub fn page_size(&self) -> u32 {
        self.limits.page_size()
    }

    /// How long requests may keep failing before the rest is left for later.
    #[must_use]
    pub fn retry_window(&self) -> Duration {
        self.options.request_timeout / 2
    }

    /// Adds what a `next` link may lack: the page size of its request, and the lifetime of links.
    pub(super) fn with_parameters(&self, next: Url, request: &Url) -> Url {
        let next = match limits::parameter(request, "page_size") {
            Some(size) => limits::with(next, "page_size", &size),
            None => next,
        };
        if next.path().ends_with("recordings") {
            self.limits.with_ttl(next, self.options.media_ttl)
        } else {
            next
        }
    }
}
