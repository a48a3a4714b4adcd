//! A receiver of webhooks whose answers tests choose.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::Setting;

/// A secret of the specification's kind.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What a webhook sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// With names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Sent {
    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub fn event(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub fn kind(&self) -> String {
        self.event()["type"].as_str().expect("a type").to_owned()
    }

    pub fn recording(&self) -> String {
        let event = self.event();
        event["data"]["recording_id"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// The status, and lines of the header.
pub type Reply = (u16, &'static str);
/// What is answered to the nth request, from 0; `None`: nothing, ever.
type Answers = Arc<dyn Fn(&Sent, usize) -> Option<Reply> + Send + Sync>;

/// Listens until the test ends.
pub struct Receiver {
    pub url: String,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Receiver {
    /// One that accepts everything.
    pub fn new() -> Self {
        Self::answering(|_, _| Some((204, "")))
    }

    pub fn answering(
        answers: impl Fn(&Sent, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!(
            "http://{}/hook?key=s3cret",
            listener.local_addr().expect("it")
        );
        let sent = Arc::<Mutex<Vec<Sent>>>::default();
        let (log, answers): (_, Answers) = (sent.clone(), Arc::new(answers));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, answers) = (log.clone(), answers.clone());
                std::thread::spawn(move || serve(stream, &log, &answers));
            }
        });
        Self { url, sent }
    }

    pub fn sent(&self) -> Vec<Sent> {
        self.sent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub fn kinds(&self) -> Vec<String> {
        self.sent().iter().map(Sent::kind).collect()
    }
}

fn serve(stream: TcpStream, log: &Mutex<Vec<Sent>>, answers: &Answers) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut headers = BTreeMap::new();
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        assert!(line.starts_with("POST /hook?key=s3cret HTTP/1.1"), "{line}");
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length")?.parse().ok()?;
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).expect("text");
        let sent = Sent { headers, body };
        let nth = {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push(sent.clone());
            log.len() - 1
        };
        let Some((status, more)) = answers(&sent, nth) else {
            std::thread::park();
            return None;
        };
        let length = if status == 204 {
            ""
        } else {
            "content-length: 0\r\n"
        };
        write!(writer, "HTTP/1.1 {status} X\r\n{length}{more}\r\n").ok()?;
    }
}

impl Setting {
    /// Configures a webhook, with more keys of its own.
    pub fn webhook(&mut self, name: &str, url: &str, more: &str) {
        let secret = self.directory.path().join(format!("{name}.secret"));
        std::fs::write(&secret, format!("{SECRET}\n")).expect("a file");
        _ = write!(
            self.more,
            "\n[webhooks.{name}]\nurl = \"{url}\"\nsecret_file = \"{}\"\nallow_private_addresses = true\n{more}\n",
            secret.display()
        );
    }
}
