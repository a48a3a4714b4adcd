//! A webhook: which events it wants, and the request that delivers one.

use std::error::Error as _;
use std::iter::successors;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use globset::GlobSet;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Response};
use url::{Host, Url};

use super::body::body;
use super::signature::sign;
use crate::addresses::{CheckedResolver, Forbidden, is_metadata, is_private, is_public};
use crate::cooldown::retry_after;
use crate::model::{EventType, WebhookSecret, time};
use crate::store::Happened;

/// A receiver that has not answered by then has not accepted.
const PATIENCE: Duration = Duration::from_secs(15);
/// What is read of an answer's body, and for how long, so that its connection can be used again. What it says does not
/// matter.
const BODY: usize = 16 << 10;
const BODY_PATIENCE: Duration = Duration::from_secs(1);

/// What a webhook is configured to be.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Options {
    pub name: String,
    pub url: Url,
    /// Each signs.
    pub secrets: Vec<WebhookSecret>,
    pub events: Vec<EventType>,
    pub rooms: GlobSet,
    pub allow_private_addresses: bool,
    /// Whether it receives names of rooms.
    pub room_names: bool,
    /// Authorities to trust in addition to the system's.
    pub ca: Vec<Certificate>,
}

/// A webhook that can be sent to.
#[derive(Debug)]
pub struct Endpoint {
    pub(super) options: Options,
    allowed: fn(IpAddr) -> bool,
    http: reqwest::Client,
}

/// What came back. It was accepted if there is no error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// The rate limit in the answer.
    pub retry_after: Option<Duration>,
    /// Why it is no acceptance; without the URL.
    pub error: Option<String>,
}

impl Endpoint {
    /// A webhook with these options.
    ///
    /// # Errors
    /// The TLS library's, if the system's certificates or `ca` can't be used.
    pub fn new(options: Options) -> reqwest::Result<Self> {
        let allowed: fn(IpAddr) -> bool =
            match (options.allow_private_addresses, options.url.scheme()) {
                (false, _) => |ip| is_public(ip) && !is_metadata(ip),
                (true, "https") => |ip| (is_public(ip) || is_private(ip)) && !is_metadata(ip),
                // Without TLS it does not leave the private network.
                (true, _) => is_private,
            };
        let http = reqwest::Client::builder()
            .user_agent(concat!("room-archiver/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .http1_only()
            .pool_max_idle_per_host(1)
            .tls_certs_merge(options.ca.clone())
            .dns_resolver(Arc::new(CheckedResolver(allowed)))
            .build()?;
        Ok(Self {
            options,
            allowed,
            http,
        })
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// Whether it is to receive an event. Events about a room that is not known go to those who want all rooms.
    #[must_use]
    pub fn wants(&self, happened: &Happened) -> bool {
        let Ok(kind) = happened.kind.parse::<EventType>() else {
            return false;
        };
        let of_archive = matches!(
            kind,
            EventType::ArchiveUnhealthy | EventType::ArchiveRecovered
        );
        let room = happened.room_name.as_deref().unwrap_or_default();
        self.options.events.contains(&kind) && (of_archive || self.options.rooms.is_match(room))
    }

    /// Sends an event once.
    pub async fn send(&self, id: &str, body: String, now: DateTime<Utc>) -> Answer {
        let address = match self.options.url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            _ => None,
        };
        if address.is_some_and(|ip| !(self.allowed)(ip)) {
            return failed(self.forbidden().to_owned());
        }
        let timestamp = now.timestamp();
        let request = self
            .http
            .post(self.options.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header(
                "webhook-signature",
                sign(&self.options.secrets, id, timestamp, &body),
            )
            .body(body);
        match tokio::time::timeout(PATIENCE, request.send()).await {
            Err(_) => failed(format!("no answer within {} s", PATIENCE.as_secs())),
            Ok(Err(error)) => failed(self.describe(error)),
            Ok(Ok(response)) => {
                let answer = read(&response, now);
                // Its own time-out: a body that drips is no reason to send again.
                _ = tokio::time::timeout(BODY_PATIENCE, drain(response)).await;
                answer
            }
        }
    }

    /// Sends an event that says nothing, as a test.
    pub async fn test(&self, now: DateTime<Utc>) -> Answer {
        let id = format!("evt_test_{}", now.timestamp_micros());
        match body("webhook.test", &time::to_text(now), "{}", true) {
            Ok(body) => self.send(&id, body, now).await,
            Err(error) => failed(error.to_string()),
        }
    }

    fn forbidden(&self) -> &'static str {
        match (
            self.options.allow_private_addresses,
            self.options.url.scheme(),
        ) {
            (false, _) => {
                "the host has no public address; if that is right, set allow_private_addresses = true for this webhook"
            }
            (true, "https") => {
                "the host has only addresses that are never connected to, such as link-local ones and those of cloud metadata"
            }
            (true, _) => {
                "the host has no private address, and http is for private networks: use https"
            }
        }
    }

    /// The error of a request and its causes, without the URL.
    fn describe(&self, error: reqwest::Error) -> String {
        let error = error.without_url();
        let mut causes = successors(error.source(), |&cause| cause.source());
        if causes.clone().any(<dyn std::error::Error>::is::<Forbidden>) {
            return self.forbidden().to_owned();
        }
        let last = causes.by_ref().last();
        let what = if error.is_connect() {
            "could not connect"
        } else {
            "no answer"
        };
        last.map_or_else(|| what.to_owned(), |last| format!("{what}: {last}"))
    }
}

fn failed(error: String) -> Answer {
    Answer {
        error: Some(error),
        ..Answer::default()
    }
}

fn read(response: &Response, now: DateTime<Utc>) -> Answer {
    let status = response.status().as_u16();
    let error = match status {
        200..=299 => None,
        300..=399 => Some(format!(
            "it answered {status}: redirects are not followed; set url to where it leads"
        )),
        410 => Some("it answered 410: it is gone for good".to_owned()),
        _ => Some(format!("it answered {status}")),
    };
    Answer {
        status: Some(status),
        retry_after: header(response.headers(), now),
        error,
    }
}

fn header(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

async fn drain(mut response: Response) {
    let mut left = BODY;
    while let Ok(Some(chunk)) = response.chunk().await {
        left = left.saturating_sub(chunk.len());
        if left == 0 {
            return;
        }
    }
}
