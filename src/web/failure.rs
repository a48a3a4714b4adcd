//! Why a request gets no page, and the page it gets instead.

use axum::http::StatusCode;

use crate::human;

/// Why a request is not answered as wanted.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is nothing at this address.
    NotFound(&'static str),
    /// The address has a filter that means nothing.
    BadRequest(String),
    /// The request came under a name that is not allowed here.
    Misdirected,
    /// A login is needed, and the request has no user.
    NoUser,
    /// Only GET and HEAD are answered.
    Method,
    /// An `If-Match` that does not match.
    Precondition,
    /// The database or the archive can't be read now.
    Unavailable(String),
    /// A mistake of the program.
    Internal,
}

impl Failure {
    /// A mistake of the program, which is logged.
    pub(super) fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = human::chain(error), "could not make a page");
        Self::Internal
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::NoUser => StatusCode::FORBIDDEN,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Precondition => StatusCode::PRECONDITION_FAILED,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(super) fn title(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "Not found",
            Self::BadRequest(_) => "This filter can't be used",
            Self::Misdirected => "Not allowed under this name",
            Self::NoUser => "Log in first",
            Self::Method => "Only reading is possible",
            Self::Precondition => "The file is another one",
            Self::Unavailable(_) => "Not available now",
            Self::Internal => "The page could not be made",
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::NotFound(text) => text,
            Self::BadRequest(text) | Self::Unavailable(text) => text,
            Self::Misdirected => {
                "The host name in the address is not one of this page. If it should be, add it to web.hosts in the configuration."
            }
            Self::NoUser => {
                "This page is only for users who have logged in at the proxy in front of it. Open it by the proxy's address."
            }
            Self::Method => "This page answers GET and HEAD only, and changes nothing.",
            Self::Precondition => "It changed since you read it. Load the page again.",
            Self::Internal => "The log of room-archiver-web says why.",
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        tracing::warn!(
            error = human::chain(&error),
            "could not read the database for the page"
        );
        Self::Unavailable(
            "The database can't be read now. 'room-archiver status' on the machine says why."
                .to_owned(),
        )
    }
}
