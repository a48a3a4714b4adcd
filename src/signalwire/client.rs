//! The API client: Basic credentials, one exact origin, no redirects, bounded answers.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{ACCEPT, DATE, RETRY_AFTER};
use reqwest::redirect::Policy;
use url::Url;

use super::error::{Error, Result, reason};
use super::pages::Pages;
use super::wire::{Arrival, Item, Odd, read_item};
use crate::clock::Clock;
use crate::cooldown::{Cooldowns, parse_http_date};
use crate::model::{ApiToken, Listed, RecordingId, Session, SessionId};

/// The largest answer that is read.
const LARGEST: usize = 64 << 20;
/// How often a request is tried in all.
const TRIES: u32 = 3;
/// A host that asks for less patience than this is waited for.
const SHORT_WAIT: TimeDelta = TimeDelta::seconds(5);

/// Where and how to ask.
#[derive(Debug, Clone)]
pub struct Options {
    /// The space's origin.
    pub base: Url,
    /// User name of the Basic credentials.
    pub project_id: String,
    /// Their password.
    pub token: ApiToken,
    /// Rows a page, 1–1000.
    pub page_size: u32,
    /// The life asked for media links, 60–604800 s.
    pub media_ttl: Duration,
    /// For opening a connection.
    pub connect_timeout: Duration,
    /// For a whole request.
    pub request_timeout: Duration,
    /// The wait before a failed request is sent again; doubled each time.
    pub retry_delay: Duration,
    /// PEM certificates of private authorities to trust besides the system's.
    pub ca: Vec<reqwest::Certificate>,
}

/// The client of one space's API.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    options: Options,
    clock: Clock,
    cooldowns: Cooldowns,
    requests: AtomicU64,
    /// Milliseconds the server's clock is ahead of ours; `i64::MIN`: never heard.
    ahead: AtomicI64,
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
            .connect_timeout(options.connect_timeout)
            .timeout(options.request_timeout)
            .tls_certs_merge(options.ca.clone())
            .build()?;
        Ok(Self {
            http,
            options,
            clock,
            cooldowns,
            requests: AtomicU64::new(0),
            ahead: AtomicI64::new(i64::MIN),
        })
    }

    /// All room sessions.
    #[must_use]
    pub fn room_sessions(&self) -> Pages<'_, Session> {
        Pages::new(self, self.list("room_sessions", false))
    }

    /// The recordings of one session.
    #[must_use]
    pub fn session_recordings(&self, id: SessionId) -> Pages<'_, Listed> {
        Pages::new(
            self,
            self.list(&format!("room_sessions/{id}/recordings"), true),
        )
    }

    /// All recordings of the project.
    #[must_use]
    pub fn room_recordings(&self) -> Pages<'_, Listed> {
        Pages::new(self, self.list("room_recordings", true))
    }

    /// One session; `None` when the vendor does not know it.
    ///
    /// # Errors
    /// [`Error`], if the request fails.
    pub async fn room_session(&self, id: SessionId) -> Result<Option<Session>> {
        let url = self.url(&format!("room_sessions/{id}"));
        self.one(url, |session: &Session| session.id == id).await
    }

    /// One recording with a fresh link that lives for `ttl`; `None` when the vendor does not have it.
    ///
    /// # Errors
    /// [`Error`], if the request fails.
    pub async fn room_recording(&self, id: RecordingId, ttl: Duration) -> Result<Option<Listed>> {
        let mut url = self.url(&format!("room_recordings/{id}"));
        url.query_pairs_mut()
            .append_pair("media_ttl", &ttl.as_secs().to_string());
        self.one(url, |listed: &Listed| listed.recording.id == id)
            .await
    }

    /// One small request, to see whether the credentials work.
    ///
    /// # Errors
    /// [`Error`], if it fails.
    pub async fn probe(&self) -> Result<()> {
        let mut url = self.url("room_sessions");
        url.query_pairs_mut().append_pair("page_size", "1");
        Pages::<Session>::new(self, url).next().await.map(drop)
    }

    /// The server's time, as well as it is known: its `Date` against our clock.
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
        self.requests.load(Ordering::Relaxed)
    }

    /// The life asked for the links of listings.
    #[must_use]
    pub fn media_ttl(&self) -> Duration {
        self.options.media_ttl
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.options.base.clone();
        url.set_path(&format!("/api/video/{path}"));
        url
    }

    fn list(&self, path: &str, links: bool) -> Url {
        let mut url = self.url(path);
        url.query_pairs_mut()
            .append_pair("page_size", &self.options.page_size.to_string());
        if links { self.with_ttl(url) } else { url }
    }

    /// A `next` link may leave out the life asked for the links: then it is added.
    pub(super) fn with_ttl(&self, mut url: Url) -> Url {
        let recordings = url.path().ends_with("recordings");
        if recordings && !url.query_pairs().any(|(key, _)| key == "media_ttl") {
            let ttl = self.options.media_ttl.as_secs().to_string();
            url.query_pairs_mut().append_pair("media_ttl", &ttl);
        }
        url
    }

    /// One object. Another than the one asked for is not taken: its link would lead to other bytes.
    async fn one<T: Item>(&self, url: Url, asked: impl Fn(&T) -> bool) -> Result<Option<T>> {
        let read = self
            .get(&url, |body, arrival| {
                let raw = serde_json::from_slice(body).map_err(|_| "JSON that can't be read")?;
                let mut odd = Odd::default();
                let item = read_item(raw, arrival, &mut odd)
                    .map_err(|reason| format!("an object that can't be used: {reason}"))?;
                odd.warn();
                if asked(&item) {
                    Ok(item)
                } else {
                    Err("another object than the one asked for".to_owned())
                }
            })
            .await;
        match read {
            Ok(item) => Ok(Some(item)),
            Err(Error::Status { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks, again if need be, and reads the answer's body with `read`, whose error says what it was.
    pub(super) async fn get<T>(
        &self,
        url: &Url,
        read: impl Fn(&[u8], Arrival) -> std::result::Result<T, String>,
    ) -> Result<T> {
        let mut delay = self.options.retry_delay;
        let mut tried = 1;
        loop {
            match self.get_once(url, &read).await {
                Err(error) if error.is_transient() && tried < TRIES => {
                    tracing::debug!("trying again: {error}");
                    tokio::time::sleep(delay).await;
                    delay *= 2;
                    tried += 1;
                }
                result => return result,
            }
        }
    }

    async fn get_once<T>(
        &self,
        url: &Url,
        read: impl Fn(&[u8], Arrival) -> std::result::Result<T, String>,
    ) -> Result<T> {
        let host = url.host_str().unwrap_or_default();
        self.wait_for(host).await?;
        let transport = |error| Error::Transport {
            request: url.path().to_owned(),
            reason: reason(error),
        };
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut answer = self
            .http
            .get(url.clone())
            .basic_auth(&self.options.project_id, Some(self.options.token.expose()))
            .header(ACCEPT, "application/json")
            .send()
            .await
            .map_err(transport)?;
        let arrival = self.arrival(&answer);
        let status = answer.status().as_u16();
        if status == 401 || status == 403 {
            return Err(Error::Credentials { status });
        }
        let retry_after = answer
            .headers()
            .get(RETRY_AFTER)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        if status == 429 || (status == 503 && retry_after.is_some()) {
            let now = self.clock.now();
            let until = self
                .cooldowns
                .ask(host, retry_after.as_deref(), arrival.date, now);
            return Err(Error::Patience { until });
        }
        let what = |what: String| Error::Answer {
            request: url.path().to_owned(),
            what,
        };
        let body = read_body(&mut answer)
            .await
            .map_err(transport)?
            .ok_or_else(|| Error::TooLong {
                request: url.path().to_owned(),
                most_mib: LARGEST >> 20,
            })?;
        if status != 200 {
            let detail =
                documented_code(&body).map_or_else(String::new, |code| format!(": {code}"));
            return Err(Error::Status {
                request: url.path().to_owned(),
                status,
                detail,
            });
        }
        read(&body, arrival).map_err(what)
    }

    /// A host that asked for a little patience is waited for; a longer one ends the request.
    async fn wait_for(&self, host: &str) -> Result<()> {
        let now = self.clock.now();
        match self.cooldowns.until(host, now) {
            Some(until) if until - now > SHORT_WAIT => Err(Error::Patience { until }),
            Some(until) => {
                tokio::time::sleep((until - now).to_std().unwrap_or_default()).await;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn arrival(&self, answer: &reqwest::Response) -> Arrival {
        let date = answer
            .headers()
            .get(DATE)
            .and_then(|date| parse_http_date(date.to_str().ok()?));
        if let Some(date) = date {
            let ahead = (date - self.clock.now()).num_milliseconds();
            // The header has whole seconds: less than that is no skew.
            let ahead = if ahead.abs() < 2000 { 0 } else { ahead };
            self.ahead.store(ahead, Ordering::Relaxed);
        }
        Arrival {
            at: self.clock.monotonic(),
            ttl: asked_ttl(answer.url()).unwrap_or(self.options.media_ttl),
            date,
        }
    }
}

/// Reads a body to its end; `None` if it is too long to be read.
async fn read_body(answer: &mut reqwest::Response) -> reqwest::Result<Option<Vec<u8>>> {
    let declared = answer.content_length().unwrap_or(0);
    if declared > LARGEST as u64 {
        return Ok(None);
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > LARGEST {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// The life that a request asked for its links.
fn asked_ttl(url: &Url) -> Option<Duration> {
    let (_, ttl) = url.query_pairs().find(|(key, _)| key == "media_ttl")?;
    ttl.parse().ok().map(Duration::from_secs)
}

/// The `code` of the documented 422 body, new or older, if it is plain words. Tokens and signatures,
/// should an answer echo one, have digits.
fn documented_code(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let item = body.pointer("/errors/0").unwrap_or(&body);
    let code = item.get("code")?.as_str()?;
    let plain = code.len() <= 64
        && code
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    plain.then(|| code.to_owned())
}
