//! Checks beyond the type of a single value: ranges, and keys that must fit each other.

use std::path::Path;
use std::time::Duration;

use axum::http::HeaderName;
use url::{Host, Url};
use uuid::Uuid;

use super::sections::{Config, SignalWire};
use crate::archive::paths::Template;

const DAY: Duration = Duration::from_hours(24);
/// The space of the sample configuration.
const PLACEHOLDER: &str = "your-space";

/// Key and text of each problem.
type Found = Vec<(&'static str, String)>;

/// All problems of `config`.
pub(super) fn problems(config: &Config) -> Vec<(String, String)> {
    let mut found = Vec::new();
    signalwire(config, &mut found);
    poll_and_filter(config, &mut found);
    download(config, &mut found);
    archive(config, &mut found);
    web(config, &mut found);
    let copies = config.copies.iter().flat_map(|(name, target)| {
        let problems = target.problems().into_iter();
        problems.map(move |(key, text)| (format!("copies.{name}.{key}"), text))
    });
    let webhooks = config.webhooks.iter().flat_map(|(name, webhook)| {
        let problems = webhook.problems().into_iter();
        problems.map(move |(key, text)| (format!("webhooks.{name}.{key}"), text))
    });
    let found = found.into_iter().map(|(key, text)| (key.to_owned(), text));
    found.chain(copies).chain(webhooks).collect()
}

fn signalwire(config: &Config, found: &mut Found) {
    let section = &config.signalwire;
    if let Err((key, text)) = section.origin() {
        found.push((key, text.to_owned()));
    }
    let id = &section.project_id;
    if id.is_empty() {
        found.push((
            "signalwire.project_id",
            "not set; it is the Project ID on the API page of your SignalWire dashboard".to_owned(),
        ));
    } else if let Err(text) = project_id(id) {
        found.push(("signalwire.project_id", text.to_owned()));
    }
    for (key, file) in [
        ("signalwire.api_token_file", &section.api_token_file),
        ("signalwire.ca_file", &section.ca_file),
    ] {
        if let Some(file) = file {
            absolute(found, key, file);
        }
    }
    let ttl = section.media_ttl;
    between(
        found,
        "signalwire.media_ttl",
        ttl,
        Duration::from_mins(1),
        7 * DAY,
    );
    if ttl.subsec_nanos() != 0 {
        found.push(("signalwire.media_ttl", "must be whole seconds".to_owned()));
    }
    count(
        found,
        "signalwire.page_size",
        section.page_size as usize,
        1000,
    );
    let (least, most) = (Duration::from_millis(1), Duration::from_mins(10));
    for (key, time) in [
        ("signalwire.connect_timeout", section.connect_timeout),
        ("signalwire.request_timeout", section.request_timeout),
    ] {
        between(found, key, time, least, most);
    }
}

fn project_id(text: &str) -> Result<(), &'static str> {
    // Other forms of a UUID, such as one in braces, would be refused by SignalWire.
    let id = Uuid::try_parse(text).ok().filter(|_| text.len() == 36);
    match id {
        Some(id) if id.is_nil() => Err(
            "is still the placeholder of the sample; copy the Project ID from the API page of your SignalWire dashboard",
        ),
        Some(_) => Ok(()),
        None => Err(
            "must be a UUID, such as \"7d5b7f9c-2b1e-4c7d-9a52-1f00fa4e0001\"; copy the Project ID from the API page of your SignalWire dashboard",
        ),
    }
}

fn poll_and_filter(config: &Config, found: &mut Found) {
    let (minute, year) = (Duration::from_mins(1), 366 * DAY);
    between(found, "poll.settle", config.poll.settle, minute, year);
    between(
        found,
        "poll.stuck_after",
        config.poll.stuck_after,
        minute,
        year,
    );
    count(found, "poll.concurrency", config.poll.concurrency, 64);
    if config.filter.include_rooms.is_empty() {
        found.push((
            "filter.include_rooms",
            "an empty list would archive nothing; use [\"*\"] for all rooms".to_owned(),
        ));
    }
}

fn download(config: &Config, found: &mut Found) {
    let section = &config.download;
    count(found, "download.concurrency", section.concurrency, 64);
    if (1..16 << 10).contains(&section.bandwidth_limit.0) {
        found.push((
            "download.bandwidth_limit",
            "must be at least \"16KiB\" a second, or \"0\" for no limit".to_owned(),
        ));
    }
    let (least, hour) = (Duration::from_millis(1), Duration::from_hours(1));
    for (key, time, most) in [
        ("download.stall_timeout", section.stall_timeout, hour),
        ("download.retry_initial", section.retry_initial, DAY),
        ("download.retry_max", section.retry_max, 7 * DAY),
    ] {
        between(found, key, time, least, most);
    }
    if section.retry_initial > section.retry_max {
        found.push((
            "download.retry_initial",
            "must not be longer than download.retry_max".to_owned(),
        ));
    }
}

fn archive(config: &Config, found: &mut Found) {
    let (directory, database) = (&config.archive.directory, &config.database.path);
    absolute(found, "archive.directory", directory);
    absolute(found, "database.path", database);
    if directory.parent().is_none() {
        found.push((
            "archive.directory",
            "must not be the root directory".to_owned(),
        ));
    }
    if directory.starts_with(database) {
        found.push((
            "database.path",
            "must be a file, such as \"/var/lib/room-archiver/archive.db\", not a directory of the archive".to_owned(),
        ));
    }
    if let Err(text) = path_template(&config.archive.path_template) {
        found.push(("archive.path_template", text));
    }
    if config.verify.bytes_per_run.0 == 0 {
        found.push((
            "verify.bytes_per_run",
            "must be more than 0, or nothing would ever be verified".to_owned(),
        ));
    }
}

fn web(config: &Config, found: &mut Found) {
    let section = &config.web;
    if !section.listen.ip().is_loopback() {
        found.push((
            "web.listen",
            "must be a loopback address, such as \"127.0.0.1:8480\": the page has no login of its own; let a proxy serve it to others".to_owned(),
        ));
    }
    let name = |host: &String| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        !host.is_empty() && (host.bytes().all(plain) || is_bracketed(host))
    };
    if !section.hosts.iter().all(name) {
        found.push((
            "web.hosts",
            "must be host names without scheme and port, such as \"archive.example.org\""
                .to_owned(),
        ));
    }
    let header = section.user_header.as_deref().map(str::parse::<HeaderName>);
    if header.is_some_and(|header| header.is_err()) {
        found.push((
            "web.user_header",
            "must be the name of a header, such as \"X-Remote-User\"".to_owned(),
        ));
    }
}

/// Whether it is an IPv6 address as addresses of pages have it.
fn is_bracketed(host: &str) -> bool {
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
}

fn path_template(text: &str) -> Result<(), String> {
    Template::parse(text)
        .map(drop)
        .map_err(|bad| bad.to_string())
}

fn between(found: &mut Found, key: &'static str, time: Duration, least: Duration, most: Duration) {
    if !(least..=most).contains(&time) {
        let (least, most) = (
            humantime_serde::re::humantime::format_duration(least),
            humantime_serde::re::humantime::format_duration(most),
        );
        found.push((key, format!("must be between {least} and {most}")));
    }
}

fn count(found: &mut Found, key: &'static str, number: usize, most: usize) {
    if !(1..=most).contains(&number) {
        found.push((key, format!("must be between 1 and {most}")));
    }
}

// The message does not repeat the text: it may be a token in the wrong key.
fn absolute(found: &mut Found, key: &'static str, path: &Path) {
    if !path.is_absolute() {
        found.push((
            key,
            "must be an absolute path, one that begins with \"/\"".to_owned(),
        ));
    }
}

impl SignalWire {
    /// The API's origin, from `space` or `base_url`.
    ///
    /// # Errors
    ///
    /// The key that is wrong and why; never for a configuration that was loaded.
    pub fn origin(&self) -> Result<Url, (&'static str, &'static str)> {
        const SPACE: &str = "signalwire.space";
        const BASE_URL: &str = "signalwire.base_url";
        match (&self.space, &self.base_url) {
            (None, None) => Err((
                SPACE,
                "not set; it is the first part of your dashboard's address: \"example\" for https://example.signalwire.com",
            )),
            (Some(_), Some(_)) => Err((BASE_URL, "signalwire.space is set too; keep one of them")),
            (Some(space), None) => from_space(space).map_err(|text| (SPACE, text)),
            (None, Some(text)) => from_base_url(text).map_err(|text| (BASE_URL, text)),
        }
    }
}

fn from_space(space: &str) -> Result<Url, &'static str> {
    const EXPECTED: &str = "must be only the name: \"example\" for https://example.signalwire.com";
    if space.eq_ignore_ascii_case(PLACEHOLDER) {
        return Err(
            "is still the placeholder of the sample; write the first part of your dashboard's address: \"acme\" for https://acme.signalwire.com",
        );
    }
    let label = (1..=63).contains(&space.len())
        && space
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !space.starts_with('-')
        && !space.ends_with('-');
    if !label {
        return Err(EXPECTED);
    }
    Url::parse(&format!("https://{space}.signalwire.com/")).map_err(|_| EXPECTED)
}

fn from_base_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text)
        .map_err(|_| "must be a URL, such as \"https://example.signalwire.com\"")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "must not contain a user name or password; the API token is set elsewhere, for instance in signalwire.api_token_file",
        );
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(
            "must be an origin without path and query, such as \"https://example.signalwire.com\"",
        );
    }
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        "http" => Err(
            "must begin with https://; http would send the token unencrypted and is allowed only for loopback hosts",
        ),
        _ => Err("must begin with https://"),
    }
}
