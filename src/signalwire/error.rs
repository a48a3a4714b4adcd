//! What can go wrong with a request to the API. No error holds a URL: queries carry page tokens.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

/// A failed request. Its text names the request by its path, never by its query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// 401 or 403 for the list of sessions, or for several different objects in a row: a person must fix
    /// the credentials.
    #[error(
        "SignalWire refused the credentials (HTTP {status}): check project_id, the API token and its Video scope"
    )]
    Credentials {
        /// 401 or 403.
        status: u16,
    },
    /// 401 or 403 for this object or list: nothing is said about the others.
    #[error("{request} was refused with HTTP {status}")]
    Refused {
        /// The request's path.
        request: String,
        /// 401 or 403.
        status: u16,
    },
    /// 429, or 503 with `Retry-After`.
    #[error("SignalWire is rate-limiting us (Retry-After) until {}", crate::model::time::to_text(*.until))]
    Patience {
        /// Not before then.
        until: DateTime<Utc>,
    },
    /// A status that means trouble at the vendor, or another request would do better.
    #[error("{request} was answered with HTTP {status}{detail}")]
    Status {
        /// The request's path.
        request: String,
        /// The status.
        status: u16,
        /// The documented error code, if there was one, after ": ".
        detail: String,
    },
    /// 422 (or 400): a parameter of the request is not allowed.
    #[error("{request} was answered with HTTP {status}{detail}")]
    Invalid {
        /// The request's path.
        request: String,
        /// 422 or 400.
        status: u16,
        /// The documented error code, if there was one, after ": ".
        detail: String,
        /// The parameter.
        parameter: Parameter,
    },
    /// No answer, or half of one.
    #[error("{request} failed: {reason}")]
    Transport {
        /// The request's path.
        request: String,
        /// Why, without the URL.
        reason: String,
    },
    /// An answer so long that it can be no page: asking again would bring it again.
    #[error("{request} was answered with more than {most_mib} MiB")]
    TooLong {
        /// The request's path.
        request: String,
        /// The longest answer that is read.
        most_mib: usize,
    },
    /// An answer that is not what the contract says.
    #[error("{request} was answered with {what}")]
    Answer {
        /// The request's path.
        request: String,
        /// What was wrong with it.
        what: String,
    },
    /// `links.next` came a second time, or pages did not end.
    #[error("{request}: {what}")]
    EndlessPages {
        /// The request's path.
        request: String,
        /// How it showed.
        what: &'static str,
    },
}

/// The parameter that a 422 complains of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// `page_size`: the space allows fewer rows a page.
    PageSize,
    /// `media_ttl`: the space does not allow links to live that long.
    MediaTtl,
    /// Another one.
    Other,
    /// The body names none.
    Unnamed,
}

/// The result of a request.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The same request may well succeed in a moment.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transport { .. } | Self::Answer { .. } => true,
            Self::Status { status, .. } => *status >= 500 || *status == 408,
            _ => false,
        }
    }
}

/// The text of a reqwest error without its URL, causes included.
pub(crate) fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = if error.is_timeout() {
        "timed out".to_owned()
    } else {
        error.to_string()
    };
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}
