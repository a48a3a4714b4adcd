//! Requests as the bucket receives them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;

/// A request that the bucket received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// Without the bucket; empty for the bucket itself.
    pub key: String,
    pub query: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    /// What it asks for, in a word and the number of a part.
    pub fn step(&self) -> String {
        let has = |name: &str| self.query.contains_key(name);
        match self.method.as_str() {
            "PUT" if has("partNumber") => format!("part {}", self.query["partNumber"]),
            "PUT" if self.headers.contains_key("x-amz-copy-source") => "copy".to_owned(),
            "PUT" if is_sidecar(&self.key) => "sidecar".to_owned(),
            "PUT" => "put".to_owned(),
            "POST" if has("uploads") => "begin".to_owned(),
            "POST" => "complete".to_owned(),
            "DELETE" if has("uploadId") => "abort".to_owned(),
            "GET" if has("uploads") => "uploads".to_owned(),
            "GET" if has("versioning") => "versioning".to_owned(),
            "GET" if has("object-lock") => "lock".to_owned(),
            "GET" if self.key.is_empty() => "list".to_owned(),
            method => method.to_lowercase(),
        }
    }

    /// Reads the head of a request. Returns the length of its body, too.
    pub(super) fn head(reader: &mut BufReader<&TcpStream>) -> Option<(Self, u64)> {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let (method, rest) = line.split_once(' ')?;
        let target = rest.split(' ').next()?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = decode(path).trim_start_matches('/').to_owned();
        let key = path.split_once('/').map_or("", |(_, key)| key).to_owned();
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        };
        let query = query
            .split('&')
            .filter(|text| !text.is_empty())
            .map(pair)
            .collect();
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let length = headers
            .get("content-length")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        let request = Self {
            method: method.to_owned(),
            key,
            query,
            headers,
            body: Vec::new(),
        };
        Some((request, length))
    }
}

pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let hex: String = rest.by_ref().take(2).map(char::from).collect();
                bytes.push(u8::from_str_radix(&hex, 16).expect("two digits"));
            }
            b'+' => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

pub fn is_sidecar(key: &str) -> bool {
    key.strip_suffix(".json").is_some()
}
