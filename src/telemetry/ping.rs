//! Reports to a dead-man's switch (healthchecks.io, or anything with its convention) that all is well, or what is not. When
//! these pings cease, the other side raises the alarm: also if the machine is gone.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{Certificate, Client, StatusCode};
use serde::{Serialize, Serializer};
use url::Url;

use crate::human;

/// Time limit for one request and its answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The waits before a ping that failed is sent again.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// Redirects that are followed.
const HOPS: usize = 3;
/// The most of the problems that is sent, in bytes.
const LONGEST: usize = 10_000;

/// Where to ping. Whoever knows it can keep the alarm silent, so that only its host is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct PingUrl(Url);

impl PingUrl {
    /// Where to say that something is wrong.
    fn fail(&self) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("fail");
        }
        url
    }
}

impl FromStr for PingUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "must be a URL that begins with https:// or http://, such as \"https://hc-ping.com/<uuid>\"";
        let url = Url::parse(text).map_err(|_| EXPECTED)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(EXPECTED);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not contain a user name or password");
        }
        if url.fragment().is_some() {
            return Err("must not contain a \"#\"");
        }
        Ok(Self(url))
    }
}

impl fmt::Display for PingUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/…", self.0.origin().ascii_serialization())
    }
}

impl fmt::Debug for PingUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PingUrl({self})")
    }
}

impl Serialize for PingUrl {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Why a ping did not arrive. No text of it has the URL.
#[derive(Debug, thiserror::Error)]
pub enum PingError {
    /// No answer.
    #[error("{0}")]
    Transport(String),
    /// An answer that is no success: a redirect to another host, too.
    #[error("the answer was HTTP {0}")]
    Status(StatusCode),
}

impl PingError {
    fn may_pass(&self) -> bool {
        match self {
            Self::Transport(_) => true,
            Self::Status(status) => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
        }
    }
}

/// Sends pings to one URL.
#[derive(Debug)]
pub struct Pinger {
    /// Where it sends them.
    pub url: PingUrl,
    http: Client,
}

impl Pinger {
    /// A client of its own: it shares neither credentials nor connections with the others.
    ///
    /// # Errors
    /// The TLS library's, if the system's certificates or `ca` can't be used.
    pub fn new(url: PingUrl, ca: Vec<Certificate>) -> reqwest::Result<Self> {
        let http = Client::builder()
            .user_agent(concat!("room-archiver/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::custom(|attempt| {
                if stays(&attempt) {
                    attempt.follow()
                } else {
                    attempt.stop()
                }
            }))
            .no_proxy()
            .referer(false)
            // Minutes pass between two pings.
            .pool_max_idle_per_host(0)
            .timeout(TIMEOUT)
            .tls_certs_merge(ca)
            .build()?;
        Ok(Self { url, http })
    }

    /// Says that all is well, or what is wrong, a line each; tries a few times.
    ///
    /// # Errors
    /// The last try's.
    pub async fn send(&self, problems: &str) -> Result<(), PingError> {
        for wait in AGAIN {
            match self.try_once(problems).await {
                Err(error) if error.may_pass() => tokio::time::sleep(wait).await,
                result => return result,
            }
        }
        self.try_once(problems).await
    }

    async fn try_once(&self, problems: &str) -> Result<(), PingError> {
        let request = if problems.is_empty() {
            self.http.get(self.url.0.clone())
        } else {
            let body = problems[..problems.floor_char_boundary(LONGEST)].to_owned();
            self.http.post(self.url.fail()).body(body)
        };
        let answer = request.send().await;
        match answer
            .map_err(|error| PingError::Transport(reason(error)))?
            .status()
        {
            status if status.is_success() => Ok(()),
            status => Err(PingError::Status(status)),
        }
    }
}

/// Whether a redirect stays at the host that was configured, and is no downgrade.
fn stays(attempt: &Attempt<'_>) -> bool {
    let Some(first) = attempt.previous().first() else {
        return false;
    };
    let next = attempt.url();
    let upgraded = first.scheme() == "http"
        && next.scheme() == "https"
        && first.port().is_none()
        && next.port().is_none();
    attempt.previous().len() <= HOPS
        && first.host() == next.host()
        && (first.origin() == next.origin() || upgraded)
}

fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    human::chain(&error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> PingUrl {
        text.parse().expect("a URL")
    }

    #[test]
    fn fail_is_appended_to_the_path_and_leaves_the_query() {
        let fail = |text: &str| url(text).fail().to_string();
        assert_eq!(
            fail("https://hc-ping.com/abc"),
            "https://hc-ping.com/abc/fail"
        );
        assert_eq!(
            fail("https://x/ping/abc/?create=1"),
            "https://x/ping/abc/fail?create=1"
        );
        assert_eq!(fail("http://x:8000"), "http://x:8000/fail");
    }

    #[test]
    fn only_the_host_is_shown() {
        let secret = url("https://hc.example:8443/0aa1-secret?key=secret");
        for text in [
            secret.to_string(),
            format!("{secret:?}"),
            serde_json::to_string(&secret).expect("JSON"),
        ] {
            assert!(
                text.contains("https://hc.example:8443/…") && !text.contains("secret"),
                "{text}"
            );
        }
    }

    #[test]
    fn other_urls_are_refused_without_repeating_them() {
        for text in [
            "hc-ping.com/s3cret",
            "ftp://x/s3cret",
            "https://u:s3cret@x/",
            "https://x/#s3cret",
            "s3cret",
        ] {
            let error = text.parse::<PingUrl>().expect_err(text);
            assert!(
                error.starts_with("must ") && !error.contains("s3cret"),
                "{error}"
            );
        }
    }
}
