//! A client that hides nothing: it writes a request and keeps what comes back, byte by byte.
#![allow(dead_code, reason = "each test file uses its part")]

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fake_space::Space;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer, or as much of it as came.
#[derive(Debug, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// As sent: chunks are not joined.
    pub body: Vec<u8>,
    /// The connection was reset.
    pub reset: bool,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let pair = self.headers.iter().find(|(key, _)| key == name)?;
        Some(&pair.1)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a body of JSON")
    }
}

/// Sends a request and reads until the connection ends.
pub async fn send(method: &str, url: &str, headers: &[(&str, &str)]) -> Reply {
    let rest = url.strip_prefix("http://").expect("plain HTTP");
    let (host, target) = rest.split_at(rest.find('/').expect("a path"));
    let mut connection = TcpStream::connect(host).await.expect("a connection");
    let mut request =
        format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    request.push_str("\r\n");
    connection
        .write_all(request.as_bytes())
        .await
        .expect("the request goes out");
    let mut bytes = Vec::new();
    let was_reset = connection.read_to_end(&mut bytes).await.is_err();
    parse(&bytes, was_reset)
}

fn parse(bytes: &[u8], reset: bool) -> Reply {
    let mut reply = Reply {
        reset,
        ..Reply::default()
    };
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return reply;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    reply.status = status.and_then(|text| text.parse().ok()).unwrap_or(0);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        reply.headers.push((name.to_owned(), value.to_owned()));
    }
    reply.body = bytes[end + 4..].to_vec();
    reply
}

pub async fn get(url: &str, headers: &[(&str, &str)]) -> Reply {
    send("GET", url, headers).await
}

/// Asks the API with the right credentials; `target` is a path or a whole URL.
pub async fn api(space: &Space, target: &str) -> Reply {
    api_method(space, "GET", target).await
}

pub async fn api_method(space: &Space, method: &str, target: &str) -> Reply {
    let url = if target.starts_with("http://") {
        target.to_owned()
    } else {
        format!("{}{target}", space.api_url())
    };
    let pair = BASE64_STANDARD.encode(format!("{}:{}", space.project_id(), space.token()));
    let authorization = format!("Basic {pair}");
    send(method, &url, &[("authorization", &authorization)]).await
}

/// The rows of a list's page.
pub fn rows(page: &Value) -> &Vec<Value> {
    page["data"].as_array().expect("a list")
}

/// Walks a list to its end; the ids in the order they came.
pub async fn walk(space: &Space, first: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut next = Some(first.to_owned());
    while let Some(target) = next {
        let page = api(space, &target).await.json();
        ids.extend(
            rows(&page)
                .iter()
                .map(|row| row["id"].as_str().unwrap().to_owned()),
        );
        next = page["links"]["next"].as_str().map(str::to_owned);
    }
    ids
}
