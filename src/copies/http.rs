//! How requests reach an object store: HTTP/1.1 without redirects and proxies, given up when nothing moves, with
//! answers of limited length, each noted in its `Call`.
//!
//! There is no limit for a whole request: 64 MiB over a slow line take minutes and are well. So `reqwest`'s own
//! time-outs are of no use: its read time-out counts from the start of the request, not of the answer.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use futures::future::{Either, select};
use futures::stream;
use futures::{StreamExt as _, TryStreamExt as _};
use http_body::{Body, Frame};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};
use reqwest::redirect::Policy;

use super::answer::{Call, Failed};
use super::xml;
use crate::clock::Clock;
use crate::cooldown::{Cooldowns, parse_http_date};
use crate::model::AccessKey;
use crate::throttle::Throttle;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
const KEEPALIVE: Duration = Duration::from_secs(15);
/// A list of a thousand keys of a kilobyte each, written as entities, fits.
const LONGEST_ANSWER: usize = 8 << 20;

/// When a request is given up.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Nothing was sent or received for so long.
    pub stall: Duration,
    /// All was sent, and no answer came for so long: the store may be joining ten thousand parts.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            stall: Duration::from_mins(1),
            answer: Duration::from_mins(5),
        }
    }
}

/// Makes the client of one target.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    pub client: reqwest::Client,
    pub patience: Patience,
    pub throttle: Throttle,
    pub clock: Clock,
    pub cooldowns: Cooldowns,
    /// Host and port, for the rate limit.
    pub host: String,
    /// What must not be repeated if an answer contains it.
    pub key: AccessKey,
    /// How far the store's clock is ahead, by its last answer.
    pub skew: Arc<Mutex<Option<TimeDelta>>>,
}

/// The client of requests to object stores. It trusts the system's authorities.
///
/// # Errors
/// The TLS library's, if the system's certificates can't be used.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .user_agent(concat!("room-archiver/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(KEEPALIVE)
        .tcp_keepalive_interval(KEEPALIVE)
        .tcp_keepalive_retries(3)
        .build()
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait::async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let call = Call::current().unwrap_or_else(|| Call::new(false));
        let answered = self.answer(request, &call).await;
        if let Err(error) = &answered {
            let failed = match error.kind() {
                HttpErrorKind::Decode => Failed::TooLong,
                _ => Failed::Transport,
            };
            let text = causes(error);
            call.note(|answer| {
                answer.failed = Some(failed);
                answer.message = Some(text);
            });
        }
        answered
    }
}

impl Connector {
    pub(super) fn skew(&self) -> Option<TimeDelta> {
        *self.skew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: HttpRequest, call: &Call) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url = reqwest::Url::parse(&parts.uri.to_string()).map_err(unusable)?;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        let moved = Arc::new(Moved::default());
        moved
            .all
            .store(body.as_bytes().is_some(), Ordering::Relaxed);
        *request.body_mut() = match body.as_bytes() {
            Some(bytes) if bytes.is_empty() => None,
            Some(bytes) => Some(bytes.clone().into()),
            None => Some(self.sent(body, &moved)),
        };
        let response = self.patient(self.client.execute(request), &moved).await?;
        let (parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
        call.note(|answer| self.note_head(&parts, answer));
        let chunks = chunks(body, self.patience.stall);
        if call.object && parts.status.is_success() {
            let body = HttpResponseBody::new(Chunks(std::sync::Mutex::new(chunks.boxed())));
            return Ok(HttpResponse::from_parts(parts, body));
        }
        let body = bounded(chunks).await?;
        if let Some(error) = xml::error(&body) {
            call.note(|answer| {
                answer.code = error.code.filter(|code| is_code(code));
                answer.message = error.message.filter(|message| !self.repeats(message));
            });
        }
        call.note(|answer| self.note_rate_limit(&parts, answer));
        Ok(HttpResponse::from_parts(parts, body.into()))
    }

    fn note_head(&self, parts: &http::response::Parts, answer: &mut super::answer::Answer) {
        let header = |name| parts.headers.get(name)?.to_str().ok();
        answer.status = Some(parts.status.as_u16());
        answer.date = header(http::header::DATE).and_then(parse_http_date);
        if let Some(date) = answer.date {
            let skew = date - self.clock.now();
            *self.skew.lock().unwrap_or_else(PoisonError::into_inner) = Some(skew);
        }
        self.note_rate_limit(parts, answer);
    }

    /// All requests to this host wait until the end of its rate limit.
    fn note_rate_limit(&self, parts: &http::response::Parts, answer: &mut super::answer::Answer) {
        let slow = matches!(
            answer.code.as_deref(),
            Some("SlowDown" | "TooManyRequests" | "RequestLimitExceeded" | "Throttling")
        );
        let header = parts.headers.get(http::header::RETRY_AFTER);
        let header = header.and_then(|value| value.to_str().ok());
        let limited = match parts.status.as_u16() {
            429 => true,
            503 => header.is_some() || slow,
            _ => slow,
        };
        if limited && answer.cool_until.is_none() {
            let now = self.clock.now();
            answer.cool_until = Some(self.cooldowns.ask(&self.host, header, answer.date, now));
        }
    }

    /// Whether a text of the store contains what was sent to it in confidence.
    fn repeats(&self, text: &str) -> bool {
        let (id, secret, token) = self.key.expose();
        let secrets = [Some(id), Some(secret), token];
        secrets
            .into_iter()
            .flatten()
            .any(|part| text.contains(part))
            || text.contains("Signature")
    }

    /// A body that keeps to the bandwidth limit, and notes how far it was sent. Its length is in the header.
    fn sent(&self, body: HttpRequestBody, moved: &Arc<Moved>) -> reqwest::Body {
        let (throttle, moved) = (self.throttle.clone(), moved.clone());
        reqwest::Body::wrap_stream(stream::unfold(body, move |mut body| {
            let (throttle, moved) = (throttle.clone(), moved.clone());
            async move {
                let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
                let chunk = frame?.map(|frame| frame.into_data().unwrap_or_default());
                let length = chunk.as_ref().map_or(0, Bytes::len) as u64;
                throttle.take(length).await;
                moved.bytes.fetch_add(length, Ordering::Relaxed);
                moved.all.store(body.is_end_stream(), Ordering::Relaxed);
                Some((chunk, body))
            }
        }))
    }

    /// Waits for an answer as long as something moves.
    async fn patient(
        &self,
        request: impl Future<Output = reqwest::Result<reqwest::Response>>,
        moved: &Moved,
    ) -> Result<reqwest::Response, HttpError> {
        let mut request = pin!(request);
        let mut seen = moved.bytes.load(Ordering::Relaxed);
        loop {
            let sent = moved.all.load(Ordering::Relaxed);
            let patience = if sent {
                self.patience.answer
            } else {
                self.patience.stall
            };
            let wait = pin!(tokio::time::sleep(patience));
            match select(request.as_mut(), wait).await {
                Either::Left((answered, _)) => return answered.map_err(transport),
                Either::Right(_) => {
                    let now = moved.bytes.load(Ordering::Relaxed);
                    let all = moved.all.load(Ordering::Relaxed);
                    if now == seen && all == sent {
                        return Err(stalled(patience));
                    }
                    seen = now;
                }
            }
        }
    }
}

/// What was sent of a request so far.
#[derive(Debug, Default)]
struct Moved {
    bytes: AtomicU64,
    all: AtomicBool,
}

/// The body of an object, as it arrives. The mutex makes a stream `Sync`, as `object_store` wants it; nobody waits
/// for it.
struct Chunks(std::sync::Mutex<stream::BoxStream<'static, Result<Bytes, HttpError>>>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let stream = self.0.get_mut();
        let stream = stream.unwrap_or_else(std::sync::PoisonError::into_inner);
        stream
            .poll_next_unpin(context)
            .map(|next| next.map(|chunk| chunk.map(Frame::data)))
    }
}

/// The chunks of an answer, each within the time limit.
fn chunks(
    body: reqwest::Body,
    stall: Duration,
) -> impl stream::Stream<Item = Result<Bytes, HttpError>> + Send + 'static {
    let response = reqwest::Response::from(http::Response::new(body));
    stream::try_unfold(response, move |mut response| async move {
        let chunk = tokio::time::timeout(stall, response.chunk()).await;
        let chunk = chunk.map_err(|_| stalled(stall))?.map_err(transport)?;
        Ok(chunk.map(|chunk| (chunk, response)))
    })
}

async fn bounded(
    chunks: impl stream::Stream<Item = Result<Bytes, HttpError>>,
) -> Result<Bytes, HttpError> {
    let mut chunks = pin!(chunks);
    let mut whole = Vec::new();
    while let Some(chunk) = chunks.try_next().await? {
        if whole.len() + chunk.len() > LONGEST_ANSWER {
            let text = format!("the answer is longer than {} MiB", LONGEST_ANSWER >> 20);
            return Err(HttpError::new(
                HttpErrorKind::Decode,
                std::io::Error::other(text),
            ));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.into())
}

fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
}

fn stalled(after: Duration) -> HttpError {
    let text = format!("nothing moved for {} s", after.as_secs_f32());
    HttpError::new(
        HttpErrorKind::Timeout,
        std::io::Error::new(std::io::ErrorKind::TimedOut, text),
    )
}

// reqwest prints whole URLs, with the query.
fn transport(error: reqwest::Error) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error.without_url())
}

fn unusable(error: impl std::error::Error + Send + Sync + 'static) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}

/// An error with its causes, each once.
fn causes(error: &dyn std::error::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if texts.last().is_none_or(|last| !last.contains(&text)) {
            texts.push(text);
        }
        next = cause.source();
    }
    texts.join(": ")
}
