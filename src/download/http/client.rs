//! The media client: no credentials, no Referer, HTTP/1.1, no decompression, its own address checks.
//! It can't be confused with the API's: it takes links and nothing else.

use std::error::Error as _;
use std::iter::successors;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, HeaderMap, IF_RANGE, LOCATION, RANGE, TRANSFER_ENCODING,
};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Response, StatusCode};
use url::Url;

use super::addresses::{Refused, check};
use crate::addresses::{CheckedResolver, Forbidden, is_public};
use crate::download::failure::{Cause, Failure};
use crate::model::MediaLink;

/// Redirects followed at the most.
const HOPS: usize = 5;
/// Bytes that are enough to know an error document by.
const OPENING: usize = 128;
/// A connection whose other end is gone without a word is found out after this much silence, three times.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// The client for media hosts.
#[derive(Debug, Clone)]
pub struct Media {
    http: reqwest::Client,
    allow_private: bool,
    stall_timeout: Duration,
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
    /// A client that gives up on a host that sends nothing for `stall_timeout`. It trusts the system's
    /// authorities and those in `ca`.
    ///
    /// # Errors
    /// The TLS library's, if the system's certificates or `ca` can't be used.
    pub fn new(
        connect_timeout: Duration,
        stall_timeout: Duration,
        allow_private: bool,
        ca: Vec<Certificate>,
    ) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("room-archiver/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .http1_only()
            .connect_timeout(connect_timeout)
            .tcp_keepalive(KEEPALIVE)
            .tcp_keepalive_interval(KEEPALIVE)
            .tcp_keepalive_retries(3)
            .tls_certs_merge(ca)
            .dns_resolver(Arc::new(CheckedResolver(if allow_private {
                |_| true
            } else {
                is_public
            })))
            .build()?;
        Ok(Self {
            http,
            allow_private,
            stall_timeout,
        })
    }

    /// Asks for a recording's bytes, all of them or from some byte on. Redirects are followed for a few
    /// hops, each checked like the link itself.
    ///
    /// # Errors
    /// [`Failure`], if there is no answer.
    pub async fn get(&self, link: &MediaLink, resume: Option<&Resume>) -> Result<Answer, Failure> {
        let mut url = link.expose().clone();
        for hop in 0..=HOPS {
            match self.hop(&url, resume).await {
                // The link's own host has answered: where it leads to concerns this recording alone.
                Err(Failure::Host(error)) if hop > 0 => return Err(Failure::Refused(error)),
                Err(failure) => return Err(failure),
                Ok(answer) if !is_redirect(answer.status()) => {
                    return Ok(Answer {
                        response: answer,
                        opening: BytesMut::new(),
                        broken: None,
                        stall_timeout: self.stall_timeout,
                    });
                }
                Ok(answer) => url = next_hop(&url, &answer)?,
            }
        }
        let what = format!("the media host redirected more than {HOPS} times");
        Err(Failure::Refused(what.into()))
    }

    async fn hop(&self, url: &Url, resume: Option<&Resume>) -> Result<Response, Failure> {
        check(url, self.allow_private).map_err(refused)?;
        let mut request = self
            .http
            .get(url.clone())
            .header(ACCEPT, "*/*")
            .header(ACCEPT_ENCODING, "identity");
        if let Some(resume) = resume {
            request = request
                .header(RANGE, format!("bytes={}-", resume.from))
                .header(IF_RANGE, &resume.validator);
        }
        // No time-out for the whole: a large recording takes as long as it takes.
        tokio::time::timeout(self.stall_timeout, request.send())
            .await
            .map_err(|_| Failure::Host(silent(self.stall_timeout).into()))?
            .map_err(|error| transport(error, Failure::Host, "no answer from the media host"))
    }
}

/// Where a redirect leads. A link must not be downgraded on the way, not even to loopback.
fn next_hop(url: &Url, answer: &Response) -> Result<Url, Failure> {
    let location = answer.headers().get(LOCATION);
    let next = location.and_then(|location| url.join(location.to_str().ok()?).ok());
    match next {
        Some(next) if url.scheme() == "https" && next.scheme() != "https" => Err(Failure::Refused(
            "the media host redirected away from https".into(),
        )),
        Some(next) => Ok(next),
        None => Err(Failure::Refused(
            "the media host redirected to nowhere".into(),
        )),
    }
}

/// A media host's answer.
pub struct Answer {
    response: Response,
    /// The first bytes of the body, if they were looked at and not taken yet.
    opening: BytesMut,
    /// What ended the body after them.
    broken: Option<Failure>,
    stall_timeout: Duration,
}

impl Answer {
    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Its headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// Whether its end shows by itself: by a declared length or a final chunk, not by the connection's end alone.
    #[must_use]
    pub fn is_framed(&self) -> bool {
        self.response.headers().contains_key(TRANSFER_ENCODING)
            || self.response.content_length().is_some()
    }

    /// The first bytes of its body, without taking them: enough to know an error document by. Fewer, if the body
    /// ends, breaks off or only drips.
    pub async fn opening(&mut self) -> &[u8] {
        let stall_timeout = self.stall_timeout;
        let enough = async {
            while self.opening.len() < OPENING {
                match self.read().await {
                    Ok(Some(chunk)) => self.opening.extend_from_slice(&chunk),
                    Ok(None) => break,
                    Err(failure) => {
                        self.broken = Some(failure);
                        break;
                    }
                }
            }
        };
        _ = tokio::time::timeout(stall_timeout, enough).await;
        &self.opening
    }

    /// The next piece of its body; `None` at the end. If this is cancelled, nothing is lost.
    ///
    /// # Errors
    /// [`Failure`], if the body breaks off, or nothing comes for too long.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        if !self.opening.is_empty() {
            return Ok(Some(self.opening.split().freeze()));
        }
        match self.broken.take() {
            Some(failure) => Err(failure),
            None => self.read().await,
        }
    }

    async fn read(&mut self) -> Result<Option<Bytes>, Failure> {
        tokio::time::timeout(self.stall_timeout, self.response.chunk())
            .await
            .map_err(|_| Failure::BrokeOff(silent(self.stall_timeout).into()))?
            .map_err(|error| {
                transport(
                    error,
                    Failure::BrokeOff,
                    "the connection to the media host broke",
                )
            })
    }
}

fn silent(stall_timeout: Duration) -> String {
    format!("the media host sent nothing for {stall_timeout:?} (download.stall_timeout)")
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// A name that leads into the customer's own network may be a resolver's fault: it concerns the host. Everything
/// else about a link concerns its recording.
fn refused(refused: Refused) -> Failure {
    match refused {
        Refused::Address => Failure::Host(refused.to_string().into()),
        Refused::Scheme | Refused::UserInfo => Failure::Refused(refused.to_string().into()),
    }
}

/// The failure of a request or body, without its URL.
fn transport(error: reqwest::Error, failure: fn(Cause) -> Failure, what: &'static str) -> Failure {
    let mut causes = successors(error.source(), |&cause| cause.source());
    if causes.any(<dyn std::error::Error>::is::<Forbidden>) {
        return refused(Refused::Address);
    }
    failure(Cause::of(what, error.without_url()))
}
