//! The page as a child process, and a client that sends what it is told to.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use crate::harness::{Child, Setting};

/// The program with `web`.
pub struct Page {
    pub child: Child,
    pub address: String,
}

/// What it answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Page {
    /// Starts it on a free port.
    pub fn of(setting: &Setting) -> Self {
        Self::with(setting, &[])
    }

    /// The same with more of an environment.
    pub fn with(setting: &Setting, env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_room-archiver"));
        command
            .env_clear()
            .env("ROOM_ARCHIVER__WEB__LISTEN", "127.0.0.1:0")
            .envs(env.iter().copied())
            .arg("--config")
            .arg(setting.config_file())
            .arg("web");
        Self::start(command)
    }

    pub fn start(command: Command) -> Self {
        let mut child = Child::of(command);
        let line = child.line("serving the page");
        let address = line.split("http://").nth(1).unwrap_or_default();
        let address = address.split_whitespace().next().unwrap_or_default();
        Self {
            address: address.trim_matches('"').to_owned(),
            child,
        }
    }

    /// Sends a request and leaves the connection open.
    pub fn open(&self, request: &str) -> TcpStream {
        open(&self.address, request)
    }

    /// Sends a request as it is, and reads all that comes.
    pub fn raw(&self, request: &str) -> Answer {
        Answer::to(self.open(request))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[])
    }

    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            request += "Host: localhost\r\n";
        }
        for (name, value) in headers {
            _ = write!(request, "{name}: {value}\r\n");
        }
        self.raw(&(request + "\r\n"))
    }
}

fn open(address: &str, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a listener");
    stream.write_all(request.as_bytes()).expect("sent");
    stream
}

impl Answer {
    /// What is at this path of a page that is not a child.
    pub fn of(address: &str, path: &str) -> Self {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        Self::to(open(address, &request))
    }

    fn to(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        // It may close a connection that it refuses before it has read all of it.
        _ = stream.read_to_end(&mut bytes);
        Self::parse(&bytes)
    }

    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or(bytes.len());
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let body = bytes.get(end + 4..).unwrap_or_default().to_vec();
        Self {
            status: status.unwrap_or_default(),
            head,
            body,
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}
