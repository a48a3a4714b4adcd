//! A daemon's `/healthz` and `/metrics`.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use super::Setting;

/// Lets a daemon with this configuration listen somewhere, and says where.
pub fn listening(setting: &mut Setting) -> SocketAddr {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
    let port = port.expect("a port");
    _ = write!(setting.more, "\n[telemetry]\nlisten = \"{port}\"\n");
    port
}

/// What a daemon answers; nothing while it does not listen yet, or another that did is just ending.
pub fn get(port: SocketAddr, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let answered = TcpStream::connect(port).and_then(|mut stream| {
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    });
    answered.unwrap_or_default()
}

/// Waits until `/healthz` has a line that begins so, with status 503.
pub fn unhealthy(setting: &Setting, port: SocketAddr, line: &str) {
    let mut answer = String::new();
    setting.wait(|_| {
        answer = get(port, "/healthz");
        answer.starts_with("HTTP/1.1 503") && answer.lines().any(|one| one.starts_with(line))
    });
}

pub fn healthy(setting: &Setting, port: SocketAddr) {
    setting.wait(|_| get(port, "/healthz").starts_with("HTTP/1.1 200"));
}

/// The status and the body of an answer; `None` while nobody answers.
pub fn fetch(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    // With version 1.0 the body comes in one piece.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
