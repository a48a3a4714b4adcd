//! Limits of the space that are lower than configured, learnt from its refusals: rows per page, and the
//! lifetime of media links. Kept until the process ends, logged once.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use url::Url;

use super::error::Parameter;

/// The page sizes that are tried if the configured one is refused.
const SMALLER: [u32; 4] = [200, 100, 50, DEFAULT_SIZE];
/// Means a request without `page_size`: the space chooses.
const DEFAULT_SIZE: u32 = 0;
/// The documented lifetime of links if the request names none.
pub(super) const DEFAULT_TTL: Duration = Duration::from_mins(15);

/// The limits known so far.
#[derive(Debug)]
pub(super) struct Limits {
    page_size: AtomicU32,
    media_ttl: Duration,
    ttl_refused: AtomicBool,
}

impl Limits {
    pub(super) fn new(page_size: u32, media_ttl: Duration) -> Self {
        Self {
            page_size: AtomicU32::new(page_size),
            media_ttl,
            ttl_refused: AtomicBool::new(false),
        }
    }

    /// Rows per page; 0: the default of the space.
    pub(super) fn page_size(&self) -> u32 {
        self.page_size.load(Ordering::Relaxed)
    }

    /// The lifetime of links.
    pub(super) fn media_ttl(&self) -> Duration {
        if self.ttl_refused() {
            DEFAULT_TTL
        } else {
            self.media_ttl
        }
    }

    pub(super) fn ttl_refused(&self) -> bool {
        self.ttl_refused.load(Ordering::Relaxed)
    }

    /// Adds the page size, unless the URL has one.
    pub(super) fn with_page_size(&self, url: Url) -> Url {
        match self.page_size() {
            DEFAULT_SIZE => url,
            size => with(url, "page_size", &size.to_string()),
        }
    }

    /// Adds the lifetime of links, unless the URL has one.
    pub(super) fn with_ttl(&self, url: Url, ttl: Duration) -> Url {
        if self.ttl_refused() {
            url
        } else {
            with(url, "media_ttl", &ttl.as_secs().to_string())
        }
    }

    /// Remembers how the request `asked` had to be changed to be answered.
    pub(super) fn learn(&self, asked: &Url, answered: &Url) {
        let size = page_size(answered);
        if size != page_size(asked) && self.page_size.swap(size, Ordering::Relaxed) != size {
            let allowed = match size {
                DEFAULT_SIZE => "only its default".to_owned(),
                size => format!("{size} rows per page"),
            };
            tracing::warn!(
                "SignalWire refuses signalwire.page_size = {} and allows {allowed}, which is used from now on",
                page_size(asked)
            );
        }
        let dropped =
            parameter(asked, "media_ttl").filter(|_| parameter(answered, "media_ttl").is_none());
        if let Some(ttl) = dropped
            && !self.ttl_refused.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                "SignalWire refuses links that live for {ttl} s (signalwire.media_ttl): its default of {} s is used from now on",
                DEFAULT_TTL.as_secs()
            );
        }
    }
}

/// The request to send after a 422: with smaller pages, or without a lifetime of links; `None`: neither helps.
///
/// With another page size a walk starts again, because page numbers depend on the size.
pub(super) fn relaxed(url: &Url, refused: Parameter) -> Option<Url> {
    match refused {
        Parameter::PageSize => smaller_pages(url),
        Parameter::MediaTtl => without(url, &["media_ttl"]),
        Parameter::Unnamed => smaller_pages(url).or_else(|| without(url, &["media_ttl"])),
        Parameter::Other => None,
    }
}

/// The first page of the same list, in the next smaller size.
fn smaller_pages(url: &Url) -> Option<Url> {
    let size = page_size(url);
    let smaller = SMALLER.into_iter().find(|smaller| *smaller < size)?;
    let first = without(url, &["page_size", "page_number", "page_token"])?;
    Some(match smaller {
        DEFAULT_SIZE => first,
        smaller => with(first, "page_size", &smaller.to_string()),
    })
}

fn page_size(url: &Url) -> u32 {
    parameter(url, "page_size")
        .and_then(|size| size.parse().ok())
        .unwrap_or(DEFAULT_SIZE)
}

pub(super) fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

pub(super) fn with(mut url: Url, name: &str, value: &str) -> Url {
    if parameter(&url, name).is_none() {
        url.query_pairs_mut().append_pair(name, value);
    }
    url
}

/// The URL without some parameters; `None`, if it has none of them.
fn without(url: &Url, names: &[&str]) -> Option<Url> {
    let kept: Vec<_> = url
        .query_pairs()
        .filter(|(key, _)| !names.contains(&&**key))
        .collect();
    if kept.len() == url.query_pairs().count() {
        return None;
    }
    let mut less = url.clone();
    less.set_query(None);
    if !kept.is_empty() {
        less.query_pairs_mut().extend_pairs(kept);
    }
    Some(less)
}

/// The parameter that the body of a 422 names: in the documented list of errors, in a single error as older
/// documentation has it, or in any other text.
pub(super) fn complaint(body: &[u8]) -> Parameter {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let item = body.pointer("/errors/0").unwrap_or(&body);
    let attribute = item.get("attribute").and_then(serde_json::Value::as_str);
    let text = attribute.map_or_else(|| item.to_string(), str::to_owned);
    if text.contains("page_size") {
        Parameter::PageSize
    } else if text.contains("media_ttl") {
        Parameter::MediaTtl
    } else if attribute.is_some() || text.contains("page_token") {
        Parameter::Other
    } else {
        Parameter::Unnamed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(query: &str) -> Url {
        let url = format!("https://example.signalwire.com/api/video/room_recordings?{query}");
        Url::parse(&url).expect("a URL")
    }

    #[test]
    fn pages_step_down_to_the_next_smaller_size_and_begin_again() {
        let mut url = list("media_ttl=900&page_size=1000&page_number=3&page_token=PAx");
        for query in [
            "media_ttl=900&page_size=200",
            "media_ttl=900&page_size=100",
            "media_ttl=900&page_size=50",
            "media_ttl=900",
        ] {
            url = relaxed(&url, Parameter::PageSize).expect("a smaller one");
            assert_eq!(url.query(), Some(query));
        }
        assert_eq!(relaxed(&url, Parameter::PageSize), None);
        for (size, next) in [
            (999, Some("page_size=200")),
            (150, Some("page_size=100")),
            (30, None),
        ] {
            let url = relaxed(&list(&format!("page_size={size}")), Parameter::PageSize);
            assert_eq!(url.expect("a smaller one").query(), next);
        }
    }

    #[test]
    fn an_unnamed_refusal_costs_the_page_size_first_and_then_the_life_of_links() {
        let mut url = list("page_size=50&media_ttl=900");
        let mut tried = Vec::new();
        while let Some(next) = relaxed(&url, Parameter::Unnamed) {
            tried.push(next.query().unwrap_or_default().to_owned());
            url = next;
        }
        assert_eq!(tried, ["media_ttl=900", ""]);
        assert_eq!(relaxed(&list("page_size=50"), Parameter::MediaTtl), None);
        assert_eq!(relaxed(&list("page_size=50"), Parameter::Other), None);
    }

    #[test]
    fn the_life_of_links_is_dropped_where_the_walk_stands() {
        let url = list("page_size=50&media_ttl=900&page_number=2&page_token=PAx");
        let url = relaxed(&url, Parameter::MediaTtl).expect("a URL");
        assert_eq!(
            url.query(),
            Some("page_size=50&page_number=2&page_token=PAx")
        );
    }

    #[test]
    fn every_form_of_a_complaint_is_read() {
        for (body, parameter) in [
            (
                r#"{"errors":[{"code":"invalid_parameter","attribute":"page_size"}]}"#,
                Parameter::PageSize,
            ),
            (
                r#"{"code":"invalid_parameter","attribute":"page_size"}"#,
                Parameter::PageSize,
            ),
            (
                r#"{"errors":[{"attribute":"media_ttl","message":"page_size is fine"}]}"#,
                Parameter::MediaTtl,
            ),
            (
                r#"{"error":"page_size must be at most 200"}"#,
                Parameter::PageSize,
            ),
            (
                r#"{"errors":{"media_ttl":["is too large"]}}"#,
                Parameter::MediaTtl,
            ),
            (
                r#"{"errors":[{"code":"page_token_is_invalid"}]}"#,
                Parameter::Other,
            ),
            (r#"{"errors":[{"attribute":"status"}]}"#, Parameter::Other),
            (r#"{"error":"Unprocessable Entity"}"#, Parameter::Unnamed),
            ("<html>", Parameter::Unnamed),
            ("", Parameter::Unnamed),
        ] {
            assert_eq!(complaint(body.as_bytes()), parameter, "{body}");
        }
    }
}
