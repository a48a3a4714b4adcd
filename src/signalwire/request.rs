//! One request and its answer: short retries, rate limits, refusals, and smaller requests for a space with
//! lower limits.

use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::TimeDelta;
use reqwest::header::{ACCEPT, DATE, RETRY_AFTER};
use url::Url;

use super::client::Client;
use super::error::{Error, Parameter, Result, reason};
use super::limits::{DEFAULT_TTL, complaint, parameter, relaxed};
use super::refusals::{PROBE, SESSIONS};
use super::wire::Arrival;
use crate::cooldown::parse_http_date;
use crate::model::host_and_port;

/// The largest answer that is read.
const LARGEST: usize = 64 << 20;
/// How often a request is sent, the first time included.
const TRIES: u32 = 3;
/// A rate limit shorter than this is waited for.
const SHORT_WAIT: TimeDelta = TimeDelta::seconds(5);

impl Client {
    /// Sends a request, and a reduced one if the space has lower limits. Returns what `read` made of the body,
    /// and the URL that was answered. The error of `read` says what the body was instead.
    pub(super) async fn get<T>(
        &self,
        url: Url,
        read: impl Fn(&[u8], Arrival) -> std::result::Result<T, String>,
    ) -> Result<(T, Url)> {
        let mut asking = url.clone();
        loop {
            match self.get_with_retries(&asking, &read).await {
                Ok(read) => {
                    self.limits.learn(&url, &asking);
                    return Ok((read, asking));
                }
                Err(Error::Invalid { parameter, .. })
                    if let Some(less) = relaxed(&asking, parameter) =>
                {
                    asking = less;
                }
                Err(Error::Refused { request, status }) => {
                    return Err(self.classify_refusal(request, status).await);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Finds out whether an object or the credentials were refused, so that invalid credentials are noticed
    /// at once.
    async fn classify_refusal(&self, request: String, status: u16) -> Error {
        let mut sessions = self.options.base.clone();
        sessions.set_path(SESSIONS);
        sessions.set_query(Some(PROBE));
        match self.get_once(&sessions, |_, _| Ok(())).await {
            Err(refused @ Error::Credentials { .. }) => refused,
            _ => Error::Refused { request, status },
        }
    }

    /// Sends a request, again while the retry window lasts: three time-outs in a row help no more than one.
    async fn get_with_retries<T>(
        &self,
        url: &Url,
        read: impl Fn(&[u8], Arrival) -> std::result::Result<T, String>,
    ) -> Result<T> {
        let mut delay = self.options.retry_delay;
        let mut tried = 1;
        let until = self.clock.monotonic() + self.retry_window();
        loop {
            match self.get_once(url, &read).await {
                Err(error)
                    if error.is_transient()
                        && tried < TRIES
                        && self.clock.monotonic() + delay < until =>
                {
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
        let host = host_and_port(url);
        self.wait_for(&host).await?;
        let request = || url.path().to_owned();
        let transport = |error| Error::Transport {
            request: request(),
            reason: reason(error),
        };
        self.options.requests.fetch_add(1, Ordering::Relaxed);
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
            return Err(self.refusals.refused(url.path(), status));
        }
        let retry_after = answer
            .headers()
            .get(RETRY_AFTER)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        if status == 429 || (status == 503 && retry_after.is_some()) {
            let now = self.clock.now();
            let until = self
                .cooldowns
                .ask(&host, retry_after.as_deref(), arrival.date, now);
            return Err(Error::RateLimited { until });
        }
        if matches!(status, 200 | 404 | 422) && url.query() != Some(PROBE) {
            self.refusals.accepted();
        }
        let body = read_body(&mut answer)
            .await
            .map_err(transport)?
            .ok_or_else(|| Error::TooLong {
                request: request(),
                most_mib: LARGEST >> 20,
            })?;
        if status != 200 {
            return Err(error_of(request(), status, &body));
        }
        read(&body, arrival).map_err(|what| Error::Answer {
            request: request(),
            what,
        })
    }

    /// A short rate limit is waited for; a longer one ends the request.
    async fn wait_for(&self, host: &str) -> Result<()> {
        let now = self.clock.now();
        match self.cooldowns.until(host, now) {
            Some(until) if until - now > SHORT_WAIT => Err(Error::RateLimited { until }),
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
            // The header has whole seconds: a smaller difference is no skew.
            let ahead = if ahead.abs() < 2000 { 0 } else { ahead };
            self.ahead.store(ahead, Ordering::Relaxed);
        }
        let asked = parameter(answer.url(), "media_ttl").and_then(|ttl| ttl.parse().ok());
        Arrival {
            at: self.clock.monotonic(),
            ttl: asked.map_or(DEFAULT_TTL, Duration::from_secs),
            date,
        }
    }
}

/// The error of an answer that is neither a success nor a refusal.
fn error_of(request: String, status: u16, body: &[u8]) -> Error {
    let detail = documented_code(body).map_or_else(String::new, |code| format!(": {code}"));
    let parameter = match status {
        400 | 422 => complaint(body),
        _ => Parameter::Other,
    };
    // A 400 may mean anything, unless it names the parameter.
    let named = matches!(parameter, Parameter::PageSize | Parameter::MediaTtl);
    if status == 422 || named {
        return Error::Invalid {
            request,
            status,
            detail,
            parameter,
        };
    }
    Error::Status {
        request,
        status,
        detail,
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

/// The `code` of the documented 422 body, new or older, if it is plain words: an echoed token or signature
/// has digits.
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
