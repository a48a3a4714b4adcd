//! The media client: no credentials, no Referer, HTTP/1.1, no decompression, its own address checks.
//! It can't be confused with the API's: it takes links and nothing else.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, IF_RANGE, LOCATION, RANGE, USER_AGENT};
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls_platform_verifier::Verifier;

use super::addresses::{CheckedResolver, Refused, check};
use super::line::Connector;
use super::retry::Failure;
use crate::model::MediaLink;

/// Redirects followed at the most.
const HOPS: usize = 5;
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
        for _ in 0..=HOPS {
            check(&url, self.allow_private)
                .map_err(|refused| Failure::Content(refused.to_string()))?;
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
                .map_err(|_| Failure::Content("the link can't be asked for".to_owned()))?;
            // No time-out for the whole: a large recording takes as long as it takes.
            let answer = tokio::time::timeout(self.stall_timeout, self.http.request(request))
                .await
                .map_err(|_| stalled())?
                .map_err(|error| transport(&error))?;
            if !is_redirect(answer.status()) {
                return Ok(Answer {
                    answer,
                    stall_timeout: self.stall_timeout,
                });
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

/// A media host's answer.
pub struct Answer {
    answer: Response<Incoming>,
    stall_timeout: Duration,
}

impl Answer {
    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.answer.status()
    }

    /// Its headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.answer.headers()
    }

    /// The next piece of its body; `None` at the end. If this is cancelled, nothing is lost.
    ///
    /// # Errors
    /// [`Failure`], if the body breaks off, or nothing comes for too long.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let frame = tokio::time::timeout(self.stall_timeout, self.answer.frame())
                .await
                .map_err(|_| stalled())?;
            match frame.transpose().map_err(|error| transport(&error))? {
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

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn stalled() -> Failure {
    Failure::Passing("the media host sent nothing for too long".to_owned())
}

/// The failure of a request or body; none of these errors tells the URL.
fn transport(error: &dyn std::error::Error) -> Failure {
    use std::fmt::Write as _;
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return Failure::Content(refused.to_string());
        }
        _ = write!(text, ": {cause}");
        source = cause.source();
    }
    Failure::Passing(text)
}
