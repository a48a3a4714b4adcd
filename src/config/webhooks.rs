//! `[webhooks.NAME]`: a receiver of events, and its secret.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};
use url::{Host, Url};

use super::values::{Globs, optional};
use crate::addresses::{is_metadata, is_private, is_public};
use crate::model::EventType;

/// Ends a URL that `config show` prints: its path and query may hold a secret.
const HIDDEN: &str = "…";

/// A receiver of events.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Webhook {
    /// Where events are sent.
    pub url: WebhookUrl,
    /// The file with its secret, or with two while it changes.
    #[serde(with = "optional")]
    pub secret_file: Option<PathBuf>,
    /// The types of events it gets: words, or globs on them.
    pub events: Globs,
    /// The rooms whose events it receives.
    pub rooms: Globs,
    /// Whether its host may have an address in a private network, or of this machine.
    pub allow_private_addresses: bool,
    /// Whether it receives names of rooms, and what may contain them.
    pub room_names: bool,
}

impl Default for Webhook {
    fn default() -> Self {
        let all = || Globs::new(vec!["*".to_owned()]).expect("a star is a glob");
        Self {
            url: WebhookUrl(String::new()),
            secret_file: None,
            events: all(),
            rooms: all(),
            allow_private_addresses: false,
            room_names: true,
        }
    }
}

/// The URL of a webhook. What is shown of it ends after the host.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct WebhookUrl(String);

impl WebhookUrl {
    /// The whole URL.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn shown(&self) -> String {
        match Url::parse(&self.0) {
            Ok(url) if url.path() == "/" && url.query().is_none() && url.fragment().is_none() => {
                url.origin().ascii_serialization()
            }
            Ok(url) => format!("{}/{HIDDEN}", url.origin().ascii_serialization()),
            Err(_) if self.0.is_empty() => String::new(),
            Err(_) => HIDDEN.to_owned(),
        }
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Serialize for WebhookUrl {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.shown())
    }
}

impl Webhook {
    /// Where events are sent.
    ///
    /// # Errors
    ///
    /// What is wrong with it; never for a configuration that was loaded.
    pub fn url(&self) -> Result<Url, &'static str> {
        const EXPECTED: &str = "must be a URL, such as \"https://example.com/recordings\"";
        let text = self.url.expose();
        if text.is_empty() {
            return Err(
                "not set; it is where events are sent, such as \"https://example.com/recordings\"",
            );
        }
        if text.contains(HIDDEN) {
            return Err("is shortened, as 'config show' prints it; write the whole URL");
        }
        let url = Url::parse(text).map_err(|_| EXPECTED)?;
        if url.host().is_none() {
            return Err(EXPECTED);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "must not contain a user name or password; a receiver knows its events by their signature",
            );
        }
        match url.scheme() {
            "https" => {}
            "http" if self.allow_private_addresses => {}
            "http" => {
                return Err(
                    "must begin with https://; http is for receivers in a private network, with allow_private_addresses = true",
                );
            }
            _ => return Err(EXPECTED),
        }
        // The addresses of a name are checked when it is connected to.
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
            _ => return Ok(url),
        };
        match (is_private(ip), is_public(ip) && !is_metadata(ip)) {
            (true, _) if !self.allow_private_addresses => Err(
                "is a private or local address; if that is right, set allow_private_addresses = true",
            ),
            (false, false) => Err(
                "is an address that is never connected to, such as a link-local one or one of cloud metadata",
            ),
            _ => Ok(url),
        }
    }

    /// The types of events it gets.
    #[must_use]
    pub fn event_types(&self) -> Vec<EventType> {
        let wanted = |kind: &EventType| self.events.set().is_match(kind.as_str());
        EventType::ALL.into_iter().filter(wanted).collect()
    }

    /// Key and text of each problem.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if let Err(text) = self.url() {
            found.push(("url", text.to_owned()));
        }
        if self.secret_file.as_deref().is_some_and(Path::is_relative) {
            let text = "must be an absolute path, one that begins with \"/\"";
            found.push(("secret_file", text.to_owned()));
        }
        let unknown = self.events.texts().iter().any(|text| {
            let one = Globs::new(vec![text.clone()]);
            one.is_ok_and(|one| {
                !EventType::ALL
                    .iter()
                    .any(|kind| one.set().is_match(kind.as_str()))
            })
        });
        if unknown || self.events.is_empty() {
            let known = EventType::ALL.map(EventType::as_str).join(", ");
            let text =
                format!("each must be a type of event, or a glob that matches some: {known}");
            found.push(("events", text));
        }
        if self.rooms.is_empty() {
            let text = "an empty list would match no room; use [\"*\"] for all rooms";
            found.push(("rooms", text.to_owned()));
        }
        found
    }
}
