//! Judges the head of a media answer: append to the part, start over, or do without it. A pure function.

use reqwest::StatusCode;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap,
};

use super::client::Resume;

/// What is to be done with an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Write its body behind the part's first bytes.
    Append {
        /// Length of the whole object.
        total: u64,
    },
    /// Write its body from byte 0.
    Whole {
        /// Length of the object, if the answer has it.
        total: Option<u64>,
        /// Its strong validator, if it has one.
        validator: Option<String>,
    },
    /// The part is the whole object already.
    Complete,
    /// Forget the part and ask again for the whole.
    StartOver(&'static str),
    /// The link is not accepted: mint another.
    FreshLink,
    /// The host is rate-limiting us.
    RateLimited,
    /// The host fails.
    HostFails(String),
    /// It is not the recording: the host has something else to say.
    Refused(String),
}

/// Judges an answer to a request for `resume`, or for the whole.
///
/// Nothing in a head is evidence about the recording, and its type least of all: the bytes decide.
#[must_use]
pub fn judge(status: StatusCode, headers: &HeaderMap, resume: Option<&Resume>) -> Verdict {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &reqwest::header::HeaderValue| value.to_str().ok())
    };
    match status.as_u16() {
        200 | 206 => {}
        // 400 is how S3 says that the credentials a link was signed with have expired.
        400 | 401 | 403 | 410 => return Verdict::FreshLink,
        404 => return Verdict::Refused("the media host does not have it (HTTP 404)".to_owned()),
        416 => return unsatisfiable(text(CONTENT_RANGE), resume),
        429 => return Verdict::RateLimited,
        503 if headers.contains_key(reqwest::header::RETRY_AFTER) => return Verdict::RateLimited,
        500..=599 | 408 => {
            return Verdict::HostFails(format!("the media host answered with HTTP {status}"));
        }
        _ => return Verdict::Refused(format!("the media host answered with HTTP {status}")),
    }
    let encoded = headers.get_all(CONTENT_ENCODING).iter().any(|encoding| {
        let encoding = encoding.as_bytes().trim_ascii();
        !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity")
    });
    if encoded {
        return Verdict::Refused(
            "the media host sent an encoded body although identity was asked for".to_owned(),
        );
    }
    let kind = text(CONTENT_TYPE)
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if kind.starts_with("multipart/") {
        return Verdict::Refused("the media host sent multipart/byteranges".to_owned());
    }
    let length = text(CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    let validator = text(ETAG).and_then(strong).map(str::to_owned);
    let verdict = match (status.as_u16(), resume) {
        (206, Some(resume)) => partial(text(CONTENT_RANGE), validator.as_deref(), length, resume),
        (206, None) => Verdict::Refused(
            "the media host sent a part although the whole was asked for".to_owned(),
        ),
        _ => Verdict::Whole {
            total: length,
            validator,
        },
    };
    match &verdict {
        Verdict::Append { total }
        | Verdict::Whole {
            total: Some(total), ..
        } if *total == 0 => Verdict::Refused("the media host sent an empty file".to_owned()),
        _ => verdict,
    }
}

/// A strong validator: quoted, and not marked as weak (RFC 9110, 8.8.3).
fn strong(etag: &str) -> Option<&str> {
    let etag = etag.trim();
    (etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"')).then_some(etag)
}

fn partial(
    range: Option<&str>,
    validator: Option<&str>,
    length: Option<u64>,
    resume: &Resume,
) -> Verdict {
    let Some((first, last, total)) = range.and_then(parse_content_range) else {
        return Verdict::Refused("the media host sent a part without saying which".to_owned());
    };
    if validator != Some(resume.validator.as_str()) {
        return Verdict::StartOver("the object changed between two parts, or may have");
    }
    let Some(total) = total else {
        return Verdict::StartOver("the media host sent a part without the length of the whole");
    };
    let fits = first == resume.from
        && last.checked_add(1) == Some(total)
        && resume.total.is_none_or(|known| known == total);
    if !fits || length.is_some_and(|length| length != total - first) {
        return Verdict::StartOver("the media host sent another part than was asked for");
    }
    Verdict::Append { total }
}

/// 416: the part is as long as the object, or longer.
fn unsatisfiable(range: Option<&str>, resume: Option<&Resume>) -> Verdict {
    let Some(resume) = resume else {
        return Verdict::Refused("the media host has no bytes to send (HTTP 416)".to_owned());
    };
    let total = range
        .and_then(|range| range.trim().strip_prefix("bytes */"))
        .and_then(|total| total.trim().parse::<u64>().ok());
    if total == Some(resume.from) && resume.total.is_none_or(|known| known == resume.from) {
        Verdict::Complete
    } else {
        Verdict::StartOver("the part is longer than the object")
    }
}

/// Reads `bytes first-last/total` (RFC 9110, 14.4); the total may be `*`.
#[must_use]
pub fn parse_content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let number = |text: &str| -> Option<u64> {
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse().ok())?
    };
    let (range, total) = text.trim().strip_prefix("bytes ")?.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let total = match total {
        "*" => None,
        total => Some(number(total)?),
    };
    let sane = first <= last && total.is_none_or(|total| last < total);
    sane.then_some((first, last, total))
}

#[cfg(test)]
mod tests;
