//! Error documents instead of media, which a proxy, a captive portal or the storage sends with a success status.
//!
//! They are never archived, so no possible recording may match: only text does, and subtitles and manifests, which
//! are XML or plain text too, do not.

/// The first elements of an HTML page that has no doctype, as error pages often have none.
const HTML: [&str; 22] = [
    "html", "head", "body", "title", "meta", "script", "style", "link", "center", "div", "span",
    "p", "br", "hr", "h1", "h2", "h3", "b", "font", "table", "pre", "a",
];

/// The roots of XML documents that are media: subtitles, manifests, drawings.
const MEDIA_XML: [&str; 10] = [
    "tt",
    "tt:tt",
    "sami",
    "mpd",
    "smoothstreamingmedia",
    "smil",
    "svg",
    "playlist",
    "usfsubtitles",
    "timedtext",
];

/// What web servers and proxies say in plain text in place of a page.
const PHRASES: [&str; 26] = [
    "service unavailable",
    "temporarily unavailable",
    "is unavailable",
    "bad gateway",
    "gateway timeout",
    "gateway time-out",
    "internal server error",
    "bad request",
    "unauthorized",
    "forbidden",
    "access denied",
    "permission denied",
    "not found",
    "not allowed",
    "410 gone",
    "too many requests",
    "rate limit",
    "request timeout",
    "request timed out",
    "timed out",
    "has expired",
    "upstream connect error",
    "no healthy upstream",
    "under maintenance",
    "error code:",
    "not authorized",
];

/// The kind of error document that begins with these bytes, if it is one; some hundred bytes are enough.
///
/// Reads UTF-8, UTF-16 and 8-bit encodings, with or without a byte order mark.
#[must_use]
pub fn error_page(opening: &[u8]) -> Option<&'static str> {
    let text = decode(opening)?;
    let text = text.trim_start();
    if text.starts_with('<') {
        return markup(text);
    }
    let is_json = match text.strip_prefix(['{', '[']) {
        Some(inside) => inside.trim_start().starts_with(['"', '{', '[', '}', ']']),
        None => matches!(text.trim_end(), "null" | "true" | "false"),
    };
    if is_json {
        return Some("a JSON document");
    }
    is_message(text).then_some("an error message")
}

/// The bytes as text in lower case, if they are text. Only ASCII matters.
fn decode(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let wide = |low: usize| {
        let pairs = bytes.chunks_exact(2);
        pairs.map(move |pair| match pair {
            [0, c] if low == 1 => *c,
            [c, 0] if low == 0 => *c,
            [0xFE, 0xFF] | [0xFF, 0xFE] => b' ',
            _ => 0x80,
        })
    };
    let narrow: Vec<u8> = match bytes {
        [0xFF, 0xFE, ..] | [0x09..=0x7F, 0, 0x09..=0x7F, 0, ..] => wide(0).collect(),
        [0xFE, 0xFF, ..] | [0, 0x09..=0x7F, 0, 0x09..=0x7F, ..] => wide(1).collect(),
        _ => bytes.to_vec(),
    };
    // The first bytes of media contain other control characters; ESC occurs in Japanese encodings.
    let is_text = |&byte: &u8| byte >= 0x20 && byte != 0x7F || b"\t\n\x0C\r\x1B".contains(&byte);
    narrow
        .iter()
        .all(is_text)
        .then(|| String::from_utf8_lossy(&narrow).to_ascii_lowercase())
}

/// The kind of error document, for a text that begins with `<`.
fn markup(text: &str) -> Option<&'static str> {
    let mut rest = text;
    // The first element, after declarations and comments, which may fill the whole text.
    let name = loop {
        rest = rest.trim_start();
        let Some(inside) = rest.strip_prefix('<') else {
            break "";
        };
        if inside.starts_with("!doctype html") {
            return Some("an HTML page");
        }
        let end = match inside.as_bytes() {
            [b'!', b'-', b'-', ..] => "-->",
            [b'?' | b'!', ..] => ">",
            _ => {
                let end = inside.find(|c: char| c.is_whitespace() || c == '>' || c == '/');
                break &inside[..end.unwrap_or(inside.len())];
            }
        };
        rest = inside.split_once(end).map_or("", |(_, after)| after);
    };
    if HTML.contains(&name) {
        return Some("an HTML page");
    }
    if MEDIA_XML.contains(&name) {
        return None;
    }
    match text.as_bytes() {
        [b'<', b'!', ..] => Some("an HTML page"),
        [b'<', b'?', ..] => Some("an XML document"),
        _ => name
            .starts_with(|c: char| c.is_ascii_alphabetic())
            .then_some("an XML document"),
    }
}

/// Whether a text begins with a line such as `503 Service Unavailable`. Subtitles begin otherwise.
fn is_message(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default();
    let is_subtitle =
        text.starts_with("webvtt") || text.starts_with(['#', '[', '{']) || text.contains("-->");
    !is_subtitle
        && line.len() <= 200
        && (line.starts_with("error") || PHRASES.iter().any(|phrase| line.contains(phrase)))
}
