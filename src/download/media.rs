//! The media client: no credentials, no Referer, HTTP/1.1, no decompression, its own address checks.
//! It can't be confused with the API's: it takes links and nothing else.

use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, IF_RANGE, LOCATION, RANGE};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode};

use super::addresses::{CheckedResolver, check};
use super::retry::Failure;
use crate::model::MediaLink;

/// Redirects followed at the most.
const HOPS: usize = 5;

/// The client for media hosts.
#[derive(Debug, Clone)]
pub struct Media {
    http: reqwest::Client,
    allow_private: bool,
}

/// From where on a part goes on, and of which object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// The first byte asked for.
    pub from: u64,
    /// The strong validator of the object the part belongs to.
    pub validator: String,
    /// Its length, if that is known.
    pub total: Option<u64>,
}

impl Media {
    /// A client that gives up on a host that sends nothing for `stall_timeout`.
    ///
    /// # Errors
    /// The TLS library's, if the system's certificates or `ca` can't be used.
    pub fn new(
        connect_timeout: Duration,
        stall_timeout: Duration,
        allow_private: bool,
        ca: &[reqwest::Certificate],
    ) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("room-archiver/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .http1_only()
            .connect_timeout(connect_timeout)
            // No time-out for the whole: a large recording takes as long as it takes.
            .read_timeout(stall_timeout)
            .dns_resolver(CheckedResolver { allow_private })
            .tls_certs_merge(ca.to_vec())
            .build()?;
        Ok(Self {
            http,
            allow_private,
        })
    }

    /// Asks for a recording's bytes, all of them or from some byte on. Redirects are followed for a few
    /// hops, each checked like the link itself.
    ///
    /// # Errors
    /// [`Failure`], if there is no answer.
    pub async fn get(
        &self,
        link: &MediaLink,
        resume: Option<&Resume>,
    ) -> Result<Response, Failure> {
        let mut url = link.expose().clone();
        for _ in 0..=HOPS {
            check(&url, self.allow_private)
                .map_err(|refused| Failure::Content(refused.to_string()))?;
            let mut request = self
                .http
                .get(url.clone())
                .header(ACCEPT_ENCODING, "identity");
            if let Some(resume) = resume {
                request = request
                    .header(RANGE, format!("bytes={}-", resume.from))
                    .header(IF_RANGE, &resume.validator);
            }
            let answer = request.send().await.map_err(transport)?;
            if !is_redirect(answer.status()) {
                return Ok(answer);
            }
            let next = answer
                .headers()
                .get(LOCATION)
                .and_then(|location| url.join(location.to_str().ok()?).ok());
            // A link must not be downgraded on the way, not even to loopback.
            match next {
                Some(next) if url.scheme() == "https" && next.scheme() != "https" => {
                    return Err(Failure::Content(
                        "the media host redirected away from https".to_owned(),
                    ));
                }
                Some(next) => url = next,
                None => {
                    return Err(Failure::Content(
                        "the media host redirected to nowhere".to_owned(),
                    ));
                }
            }
        }
        Err(Failure::Content(format!(
            "the media host redirected more than {HOPS} times"
        )))
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The failure of a request or body, its URL left out.
pub(super) fn transport(error: reqwest::Error) -> Failure {
    use std::fmt::Write as _;
    let error = error.without_url();
    let stalled = error.is_timeout();
    let mut text = if stalled {
        "the media host sent nothing for too long".to_owned()
    } else {
        error.to_string()
    };
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<super::addresses::Refused>() {
            return Failure::Content(refused.to_string());
        }
        _ = write!(text, ": {cause}");
        source = cause.source();
    }
    Failure::Passing(text)
}
