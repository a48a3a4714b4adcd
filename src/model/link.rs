//! A media link: short-lived, secret, in memory only.

use std::fmt;
use std::time::Duration;

use chrono::NaiveDateTime;
use url::Url;

use super::RecordingId;

/// A pre-signed link to a recording's bytes, with the time it expires on the monotonic clock.
///
/// Debug shows only its host: path and query give access to the recording.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaLink {
    url: Url,
    expires: Duration,
}

/// A `uri` that is not parsed yet: a sweep brings a million of them, and few are used.
#[derive(Clone)]
pub struct UnreadLink {
    uri: String,
    arrived: Duration,
    ttl: Duration,
    server_now: Option<NaiveDateTime>,
}

impl UnreadLink {
    /// Keeps a `uri` with what [`MediaLink::parse`] needs to know about its arrival.
    #[must_use]
    pub fn new(
        uri: String,
        arrived: Duration,
        ttl: Duration,
        server_now: Option<NaiveDateTime>,
    ) -> Self {
        Self {
            uri,
            arrived,
            ttl,
            server_now,
        }
    }

    /// Parses it; `None`, with a warning in the log, if it can't be a link to the recording `id`.
    #[must_use]
    pub fn read(&self, id: RecordingId) -> Option<MediaLink> {
        MediaLink::parse(&self.uri, self.arrived, self.ttl, self.server_now)
            .inspect_err(
                |error| tracing::warn!(recording.id = %id, "a link can't be used: {error}"),
            )
            .ok()
    }

    /// Whether it has certainly expired at monotonic time `now`.
    #[must_use]
    pub fn is_expired(&self, now: Duration) -> bool {
        self.arrived.saturating_add(self.ttl) <= now
    }
}

impl fmt::Debug for UnreadLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnreadLink(…)")
    }
}

/// Why a `uri` can't be a media link. The error does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLink {
    /// Not a URL with a host.
    #[error("the link is not a URL with a host")]
    NotAUrl,
    /// A scheme other than http and https.
    #[error("the link's scheme is neither https nor http")]
    Scheme,
    /// User name or password in the URL.
    #[error("the link contains a user name or password")]
    UserInfo,
    /// Control characters or white space, which URL parsers silently drop.
    #[error("the link contains control characters or white space")]
    Control,
}

impl MediaLink {
    /// Parses a `uri` that arrived at `arrived` (monotonic) and was requested with the lifetime `ttl`.
    ///
    /// It expires at the earlier of `arrived + ttl` and what S3's `X-Amz-Date` and `X-Amz-Expires`
    /// parameters say, compared with `server_now`, the answer's own `Date`, so that a wrong local
    /// clock does not matter.
    ///
    /// # Errors
    /// [`BadLink`], if it can't be a media link.
    pub fn parse(
        uri: &str,
        arrived: Duration,
        ttl: Duration,
        server_now: Option<NaiveDateTime>,
    ) -> Result<Self, BadLink> {
        if uri.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(BadLink::Control);
        }
        let url = Url::parse(uri).map_err(|_| BadLink::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BadLink::Scheme);
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(BadLink::NotAUrl);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadLink::UserInfo);
        }
        let life = server_now
            .and_then(|now| signed_life(&url, now))
            .map_or(ttl, |signed| signed.min(ttl));
        Ok(Self {
            url,
            expires: arrived.saturating_add(life),
        })
    }

    /// How long it can still be used to start a request, at monotonic time `now`.
    #[must_use]
    pub fn life_left(&self, now: Duration) -> Duration {
        self.expires.saturating_sub(now)
    }

    /// The URL, for the request and nothing else.
    #[must_use]
    pub fn expose(&self) -> &Url {
        &self.url
    }

    /// The host and port that serve the media: the only part that may be shown.
    #[must_use]
    pub fn host(&self) -> String {
        host_and_port(&self.url)
    }
}

/// The host and port of a URL, which identify a server in pauses and rate limits.
#[must_use]
pub fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{host}:{port}")
}

/// The lifetime left at `now` according to S3's parameters.
fn signed_life(url: &Url, now: NaiveDateTime) -> Option<Duration> {
    let parameter = |name: &str| {
        url.query_pairs()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    let signed = NaiveDateTime::parse_from_str(&parameter("X-Amz-Date")?, "%Y%m%dT%H%M%SZ").ok()?;
    let seconds = parameter("X-Amz-Expires")?.parse::<u32>().ok()?;
    let left = signed.checked_add_signed(chrono::TimeDelta::seconds(seconds.into()))? - now;
    Some(left.to_std().unwrap_or_default())
}

impl fmt::Debug for MediaLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MediaLink({}/…)", self.host())
    }
}

#[cfg(test)]
mod tests;
