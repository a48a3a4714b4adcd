//! The media client: no credentials, no Referer, HTTP/1.1, no decompression, its own address checks.
//! It can't be confused with the API's: it takes links and nothing else.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, IF_RANGE, LOCATION, RANGE, TRANSFER_ENCODING, USER_AGENT,
};
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls_platform_verifier::Verifier;
use url::Url;

use super::addresses::{CheckedResolver, Refused, check};
use super::failure::{Cause, Failure};
use super::line::Connector;
use crate::model::MediaLink;

/// Redirects followed at the most.
const HOPS: usize = 5;
/// Bytes that are enough to know an error document by.
const OPENING: usize = 128;
/// Bytes of a body that are handed on at a time, if they come so fast.
const PIECE: usize = 128 << 10;

/// The client for media hosts.
#[derive(Debug, Clone)]
pub struct Media {
    http: Client<Connector, Empty<Bytes>>,
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
        tls: &Arc<CryptoProvider>,
        ca: Vec<CertificateDer<'static>>,
    ) -> Result<Self, rustls::Error> {
        let verifier = Verifier::new_with_extra_roots(ca, tls.clone())?;
        let tls = ClientConfig::builder_with_provider(tls.clone())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        let connector = Connector::new(tls, CheckedResolver { allow_private }, connect_timeout);
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(PIECE)
            .build(connector);
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

    async fn hop(&self, url: &Url, resume: Option<&Resume>) -> Result<Response<Incoming>, Failure> {
        check(url, self.allow_private).map_err(refused)?;
        let mut request = Request::get(url.as_str())
            .header(ACCEPT, "*/*")
            .header(
                USER_AGENT,
                concat!("room-archiver/", env!("CARGO_PKG_VERSION")),
            )
            .header(ACCEPT_ENCODING, "identity");
        if let Some(resume) = resume {
            request = request
                .header(RANGE, format!("bytes={}-", resume.from))
                .header(IF_RANGE, &resume.validator);
        }
        let request = request
            .body(Empty::new())
            .map_err(|_| Failure::Refused("the link can't be requested".into()))?;
        // No time-out for the whole: a large recording takes as long as it takes.
        tokio::time::timeout(self.stall_timeout, self.http.request(request))
            .await
            .map_err(|_| Failure::Host(silent(self.stall_timeout).into()))?
            .map_err(|error| transport(error, Failure::Host, "no answer from the media host"))
    }
}

/// Where a redirect leads. A link must not be downgraded on the way, not even to loopback.
fn next_hop(url: &Url, answer: &Response<Incoming>) -> Result<Url, Failure> {
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
    response: Response<Incoming>,
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
            || self.response.size_hint().exact().is_some()
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
        loop {
            let frame = tokio::time::timeout(self.stall_timeout, self.response.frame())
                .await
                .map_err(|_| Failure::BrokeOff(silent(self.stall_timeout).into()))?;
            match frame.transpose().map_err(|error| {
                transport(
                    error,
                    Failure::BrokeOff,
                    "the connection to the media host broke",
                )
            })? {
                None => return Ok(None),
                // Trailers say nothing that is needed.
                Some(frame) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
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

/// The failure of a request or body; none of these errors holds the URL.
fn transport(
    error: impl std::error::Error + Send + Sync + 'static,
    failure: fn(Cause) -> Failure,
    what: &'static str,
) -> Failure {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(reason) = cause.downcast_ref::<Refused>() {
            return refused(*reason);
        }
        source = cause.source();
    }
    failure(Cause::of(what, error))
}
