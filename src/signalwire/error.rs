//! Errors of requests to the API. None contains a URL: queries contain page tokens.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

/// A failed request. Its text names the request by its path, never by its query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub enum Error {
    /// 401 or 403 for the list of sessions, or for several different objects in a row: the operator must
    /// fix the credentials.
    #[error(
        "SignalWire refused the credentials (HTTP {status}): check project_id, the API token and its Video scope"
    )]
    Credentials {
        /// 401 or 403.
        status: u16,
    },
    /// 401 or 403 for this object or list; others may be readable.
    #[error("{request} was refused with HTTP {status}")]
    Refused {
        request: String,
        /// 401 or 403.
        status: u16,
    },
    /// 429, or 503 with `Retry-After`.
    #[error("SignalWire is rate-limiting us (Retry-After) until {}", crate::model::time::to_text(*.until))]
    RateLimited {
        /// When the next request may be sent, by our clock.
        until: DateTime<Utc>,
    },
    /// A status that is neither success nor one of the other cases.
    #[error("{request} was answered with HTTP {status}{detail}")]
    Status {
        request: String,
        status: u16,
        /// The documented error code, if there was one, after ": ".
        detail: String,
    },
    /// 422 (or 400): a parameter of the request is not allowed.
    #[error("{request} was answered with HTTP {status}{detail}")]
    Invalid {
        request: String,
        /// 422 or 400.
        status: u16,
        /// The documented error code, if there was one, after ": ".
        detail: String,
        /// The parameter that must change.
        parameter: Parameter,
    },
    /// No answer, or an incomplete one.
    #[error("{request} failed: {reason}")]
    Transport {
        request: String,
        /// Why, without the URL.
        reason: String,
    },
    /// An answer too long for a page. A retry would get the same.
    #[error("{request} was answered with more than {most_mib} MiB")]
    TooLong {
        request: String,
        /// The length limit of answers.
        most_mib: usize,
    },
    /// An answer that violates the contract.
    #[error("{request} was answered with {what}")]
    Answer {
        request: String,
        /// What it was, to complete the sentence.
        what: String,
    },
    /// `links.next` repeated a page, or there were too many pages.
    #[error("{request}: {what}")]
    EndlessPages {
        request: String,
        /// Which of them.
        what: &'static str,
    },
}

/// The parameter that a 422 rejects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// `page_size`: the space allows fewer rows per page.
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
    /// Whether the same request may succeed if it is repeated soon.
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
pub(super) fn reason(error: reqwest::Error) -> String {
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
