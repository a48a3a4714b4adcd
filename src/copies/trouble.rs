//! What can be wrong with a request to an object store.

use std::fmt;

use chrono::{DateTime, Utc};

use super::answer::Answer;

/// How a request failed: what follows is decided by this, never by a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The store can't be reached, does not answer, or answers that it has a problem: 5xx.
    Unavailable,
    /// It is rate-limiting us.
    SlowDown {
        /// Until then, by our clock.
        until: DateTime<Utc>,
    },
    /// The access key is wrong, has expired, or may not do this.
    Refused,
    /// The clocks of the store and of this machine differ too much.
    Skewed,
    /// The store has no room for it: a quota.
    Full,
    /// The bucket does not exist.
    NoBucket,
    /// There is no such object.
    Gone,
    /// There is no such upload any more.
    NoUpload,
    /// What arrived at the store is not what was sent.
    Checksum,
    /// An object is under this key already.
    Exists,
    /// Another request for this key was under way.
    Conflict,
    /// The store does not know this request.
    Unsupported,
    /// The answer is not one that a store gives: too long, a redirect, not the expected XML.
    Nonsense,
    /// The store refused this request for a reason of its own.
    Rejected,
}

impl Trouble {
    /// Whether the target fails, and not the request for one object alone.
    #[must_use]
    pub fn concerns_target(self) -> bool {
        matches!(
            self,
            Self::Unavailable
                | Self::SlowDown { .. }
                | Self::Refused
                | Self::Skewed
                | Self::Full
                | Self::NoBucket
                | Self::Nonsense
        )
    }
}

/// A request to an object store that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError {
    /// How it failed.
    pub trouble: Trouble,
    /// What was to be done, such as `upload a part`.
    pub operation: &'static str,
    /// The store's words or the system's, on one line and not long.
    detail: String,
}

impl std::error::Error for StoreError {}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operation, detail, ..
        } = self;
        write!(f, "could not {operation}: ")?;
        match self.trouble {
            Trouble::Unavailable | Trouble::Nonsense | Trouble::Rejected => f.write_str(detail),
            Trouble::SlowDown { .. } => {
                write!(f, "the object store is rate-limiting us ({detail})")
            }
            Trouble::Refused => write!(
                f,
                "the object store refused the access key ({detail}): check the key and what it may do"
            ),
            Trouble::Skewed => write!(
                f,
                "the clocks of this machine and of the object store differ too much ({detail}): check the time synchronisation"
            ),
            Trouble::Full => write!(f, "the object store has no room left ({detail})"),
            Trouble::NoBucket => write!(f, "the bucket does not exist ({detail}): create it"),
            Trouble::Gone => write!(f, "there is no such object"),
            Trouble::NoUpload => write!(f, "the object store no longer knows the upload"),
            Trouble::Checksum => write!(f, "the bytes arrived altered ({detail})"),
            Trouble::Exists => write!(f, "an object is under the key already"),
            Trouble::Conflict => write!(f, "the key was written to at the same time ({detail})"),
            Trouble::Unsupported => write!(f, "the object store does not support it ({detail})"),
        }
    }
}

impl StoreError {
    /// A failure that was found here.
    pub(crate) fn new(
        trouble: Trouble,
        operation: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let detail = detail.into();
        Self {
            trouble,
            operation,
            detail,
        }
    }

    /// Whether there is no such object, or no such upload.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self.trouble, Trouble::Gone | Trouble::NoUpload)
    }

    /// Judges an answer that is not a success, or that could not be understood (`otherwise`).
    pub(super) fn of(answer: &Answer, operation: &'static str, otherwise: Trouble) -> Self {
        let detail = answer.describe();
        let trouble = match answer.code.as_deref() {
            Some(code) => by_code(code, answer),
            None => None,
        };
        let trouble = trouble.or_else(|| by_status(answer)).unwrap_or(otherwise);
        Self {
            trouble,
            operation,
            detail,
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>, and the codes of other servers.
fn by_code(code: &str, answer: &Answer) -> Option<Trouble> {
    Some(match code {
        "SlowDown"
        | "SlowDownRead"
        | "SlowDownWrite"
        | "TooManyRequests"
        | "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded" => Trouble::SlowDown {
            until: answer.cool_until?,
        },
        "RequestTimeTooSkewed" | "RequestExpired" => Trouble::Skewed,
        "AccessDenied"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "InvalidToken"
        | "TokenRefreshRequired"
        | "AccountProblem"
        | "AllAccessDisabled"
        | "NotSignedUp"
        | "InvalidSecurity"
        | "AuthorizationHeaderMalformed" => Trouble::Refused,
        "QuotaExceeded"
        | "XMinioStorageFull"
        | "XMinioAdminBucketQuotaExceeded"
        | "InsufficientStorage"
        | "EntityTooLargeForQuota" => Trouble::Full,
        "NoSuchBucket" => Trouble::NoBucket,
        "NoSuchUpload" => Trouble::NoUpload,
        "NoSuchKey" | "NoSuchVersion" => Trouble::Gone,
        "BadDigest"
        | "InvalidDigest"
        | "XAmzContentSHA256Mismatch"
        | "XAmzContentChecksumMismatch"
        | "IncompleteBody"
        | "InvalidPart" => Trouble::Checksum,
        "PreconditionFailed" => Trouble::Exists,
        "ConditionalRequestConflict" => Trouble::Conflict,
        "NotImplemented" | "MethodNotAllowed" => Trouble::Unsupported,
        "InternalError" | "ServiceUnavailable" | "RequestTimeout" | "OperationAborted" => {
            Trouble::Unavailable
        }
        _ => return None,
    })
}

fn by_status(answer: &Answer) -> Option<Trouble> {
    Some(match answer.status? {
        401 | 403 => Trouble::Refused,
        404 => Trouble::Gone,
        405 | 501 => Trouble::Unsupported,
        409 => Trouble::Conflict,
        412 => Trouble::Exists,
        429 | 503 if answer.cool_until.is_some() => Trouble::SlowDown {
            until: answer.cool_until?,
        },
        413 | 507 => Trouble::Full,
        408 | 500..=599 => Trouble::Unavailable,
        300..=399 => Trouble::Nonsense,
        400..=499 => Trouble::Rejected,
        _ => return None,
    })
}
