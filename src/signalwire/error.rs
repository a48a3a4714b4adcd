//! What can go wrong with a request to the API. No error holds a URL: queries carry page tokens.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

/// A failed request. Its text names the request by its path, never by its query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// 401 or 403: a person must fix the credentials.
    #[error(
        "SignalWire refused the credentials (HTTP {status}): check project_id, the API token and its Video scope"
    )]
    Credentials {
        /// 401 or 403.
        status: u16,
    },
    /// The host asked for patience.
    #[error("SignalWire asked for patience until {}", crate::model::time::to_text(*.until))]
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
    /// `links.next` would leave the configured origin.
    #[error("{request}: the link to the next page leads to another origin and was not followed")]
    ForeignNext {
        /// The request's path.
        request: String,
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
