//! Takes out of a text what could name somebody, or open something.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;

use aho_corasick::{AhoCorasick, MatchKind};
use anyhow::Result;
use url::Url;
use uuid::Uuid;

use crate::config::{Config, Environment};
use crate::escape;

/// The length of a UUID with hyphens.
const UUID: usize = 36;
/// How a path is logged, as text and as JSON.
const PATHS: [&str; 2] = ["path=\"", "\"path\":\""];

pub(super) struct Scrubber {
    /// Never shown, wherever it occurs.
    token: Option<String>,
    words: AhoCorasick,
    replacements: Vec<&'static str>,
    names: bool,
    /// Ids that were met, numbered.
    ids: RefCell<HashMap<Uuid, usize>>,
}

impl Scrubber {
    /// `names`: rooms, paths and ids may be shown.
    pub(super) fn new(
        config: Option<&Config>,
        env: &Environment,
        rooms: &[String],
        names: bool,
    ) -> Result<Self> {
        let mut words: Vec<(String, &'static str)> = Vec::new();
        if let Some(config) = config {
            let section = &config.signalwire;
            words.extend(section.space.clone().map(|space| (space, "(space)")));
            let host = section
                .origin()
                .ok()
                .and_then(|url| url.host_str().map(str::to_owned));
            words.extend(host.map(|host| (host, "(space)")));
            words.push((section.project_id.clone(), "(project)"));
            words.extend(others(config));
        }
        if !names {
            words.extend(rooms.iter().map(|room| (room.clone(), "(room)")));
        }
        words.retain(|(word, _)| !word.trim().is_empty());
        let token = config.and_then(|config| config.token(env).ok());
        Ok(Self {
            token: token.map(|found| found.token.expose().to_owned()),
            words: AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .build(words.iter().map(|(word, _)| word))?,
            replacements: words.into_iter().map(|(_, shown)| shown).collect(),
            names,
            ids: RefCell::default(),
        })
    }

    /// The text, line by line: safe to show, and without what is to be hidden.
    pub(super) fn lines(&self, text: &str) -> String {
        let lines = text.lines().map(|line| self.line(line) + "\n");
        lines.collect()
    }

    fn line(&self, line: &str) -> String {
        let mut line = line.to_owned();
        if let Some(token) = &self.token {
            line = line.replace(token.as_str(), "(token)");
        }
        line = hosts_alone(&line);
        if !self.names {
            line = without_paths(&line);
        }
        line = self.without_words(&line);
        if !self.names {
            line = self.without_ids(&line);
        }
        escape::line(&line).into_owned()
    }

    /// Words are replaced where they stand alone: a room may be called "a".
    fn without_words(&self, line: &str) -> String {
        let mut shown = String::with_capacity(line.len());
        let mut rest = 0;
        for found in self.words.find_iter(line) {
            let before = line[..found.start()].chars().next_back();
            let after = line[found.end()..].chars().next();
            if before.is_some_and(char::is_alphanumeric) || after.is_some_and(char::is_alphanumeric)
            {
                continue;
            }
            shown += &line[rest..found.start()];
            shown += self.replacements[found.pattern().as_usize()];
            rest = found.end();
        }
        shown + &line[rest..]
    }

    fn without_ids(&self, line: &str) -> String {
        let mut shown = String::with_capacity(line.len());
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let id = rest.get(..UUID).and_then(|text| Uuid::try_parse(text).ok());
            if let Some(id) = id {
                let mut ids = self.ids.borrow_mut();
                let next = ids.len() + 1;
                let number = ids.entry(id).or_insert(next);
                // Writing to a String can't fail.
                let _ = write!(shown, "(id {number})");
                rest = &rest[UUID..];
            } else {
                shown.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        shown
    }
}

/// Hosts that name the customer or a service of theirs: object stores with their buckets, receivers of events.
fn others(config: &Config) -> Vec<(String, &'static str)> {
    let mut hosts = Vec::new();
    for target in config.copies.values() {
        let endpoint = target.endpoint().ok().flatten();
        let endpoint = endpoint.as_ref().and_then(Url::domain);
        hosts.extend(endpoint.map(|host| (host.to_owned(), "(store)")));
        if let Ok((bucket, _)) = target.bucket_and_prefix() {
            // As a part of the host, which not all stores have.
            let endpoint = endpoint.unwrap_or("s3");
            hosts.push((format!("{bucket}.{endpoint}"), "(store)"));
        }
    }
    for webhook in config.webhooks.values() {
        let url = webhook.url().ok();
        let host = url.as_ref().and_then(Url::domain);
        hosts.extend(host.map(|host| (host.to_owned(), "(host)")));
    }
    let ping = config.telemetry.ping_url.as_ref().map(ToString::to_string);
    let ping = ping.and_then(|url| Url::parse(&url).ok());
    let host = ping.as_ref().and_then(Url::domain);
    hosts.extend(host.map(|host| (host.to_owned(), "(host)")));
    hosts.retain(|(host, _)| host != "localhost");
    hosts
}

/// URLs with their hosts alone: a path can be a secret, too, as in the URL of a webhook. Logs have none of these; this does
/// not rely on that.
fn hosts_alone(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        shown += before;
        let end = url.find(|c: char| c.is_whitespace() || "'\"<>)".contains(c));
        let (url, after) = url.split_at(end.unwrap_or(url.len()));
        let authority = url.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        shown += if before.ends_with("s3://") {
            "(bucket)"
        } else {
            host
        };
        rest = after;
    }
    shown + rest
}

fn without_paths(line: &str) -> String {
    let mut shown = line.to_owned();
    for mark in PATHS {
        let Some(at) = shown.find(mark) else { continue };
        let begin = at + mark.len();
        let mut escaped = false;
        let length = shown[begin..].find(|c| {
            let end = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            end
        });
        let end = begin + length.unwrap_or(shown.len() - begin);
        shown.replace_range(begin..end, "(hidden)");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CopyTarget;

    const ID: &str = "d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f";

    fn scrubber(names: bool) -> Scrubber {
        let mut config = Config::default();
        config.signalwire.space = Some("acme".to_owned());
        config.signalwire.project_id = "7d5b7f9c-2b1e-4c7d-9a52-1f00fa4e0001".to_owned();
        let store = CopyTarget {
            url: "s3://pail/pre".to_owned(),
            endpoint: Some("https://s3.acme.example".to_owned()),
            ..CopyTarget::default()
        };
        config.copies.insert("offsite".to_owned(), store);
        let ping = "https://ping.acme.example/0b5cf2fe".parse();
        config.telemetry.ping_url = Some(ping.expect("a URL"));
        let webhook = toml::from_str(
            "url = \"https://hooks.acme.example/x\"\nevents = []\nrooms = []\n\
             secret_file = \"\"\nallow_private_addresses = false\nroom_names = true",
        );
        config
            .webhooks
            .insert("ops".to_owned(), webhook.expect("a webhook"));
        let env = [("ROOM_ARCHIVER_API_TOKEN", "PT5ecret")]
            .into_iter()
            .collect();
        let rooms = ["team a", "a", "lesson", "", "a/b", "(x+"].map(str::to_owned);
        Scrubber::new(Some(&config), &env, &rooms, names).expect("few words")
    }

    #[test]
    fn names_ids_links_and_the_token_are_hidden() {
        let scrubber = scrubber(false);
        for (text, shown) in [
            ("room lesson, of team a.", "room (room), of (room)."),
            ("lessons and a/b", "lessons and (room)"),
            ("of a (x+ room", "of (room) (room) room"),
            ("https://acme.signalwire.com/api", "https://(space)"),
            (
                "https://u:p@h.example/v?X-Sig=1 next",
                "https://h.example next",
            ),
            ("'https://h.example/v#x'", "'https://h.example'"),
            ("token PT5ecret.", "token (token)."),
            ("http://ping.acme.example/…", "http://(host)"),
            (
                "{\"url\":\"s3://pail/pre/x.mp4\"}",
                "{\"url\":\"s3://(bucket)\"}",
            ),
            ("https://s3.acme.example/pail/x.mp4", "https://(store)"),
            (
                "pail.s3.acme.example and s3.acme.example:443",
                "(store) and (store):443",
            ),
            (
                "could not connect to hooks.acme.example",
                "could not connect to (host)",
            ),
            (
                "path=\"Old \\\"name\\\"/2026/x.mp4\" n=1",
                "path=\"(hidden)\" n=1",
            ),
            (
                "{\"path\":\"old/x.mp4\",\"n\":1}",
                "{\"path\":\"(hidden)\",\"n\":1}",
            ),
            ("7d5b7f9c-2b1e-4c7d-9a52-1f00fa4e0001", "(project)"),
        ] {
            assert_eq!(scrubber.lines(text), format!("{shown}\n"));
        }
        let two = format!("{ID} 00000000-0000-4000-8000-000000000001 ü{ID}");
        assert_eq!(scrubber.lines(&two), "(id 1) (id 2) ü(id 1)\n");
        assert_eq!(scrubber.lines("a\x1b[2Jb\nc"), "(room)\\u001B[2Jb\nc\n");
    }

    #[test]
    fn rooms_paths_and_ids_are_shown_if_asked_for_but_no_space_and_no_secret() {
        let scrubber = scrubber(true);
        let text = format!("lesson {ID} path=\"lesson/x.mp4\" acme PT5ecret https://h/?sig");
        let shown = format!("lesson {ID} path=\"lesson/x.mp4\" (space) (token) https://h\n");
        assert_eq!(scrubber.lines(&text), shown);
    }
}
