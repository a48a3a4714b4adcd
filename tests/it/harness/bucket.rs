//! A small S3 server with faults: one bucket in memory, behind a real socket. It checks what a store checks: the key in
//! the signature, and that the bytes are those that were signed.

mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use chrono::{DateTime, TimeDelta, Utc};

use super::sha256;
use store::Answer;

pub const KEY: &str = "test:tester";
pub const SECRET: &str = "testing+secret/1";

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
            "PUT" => "put".to_owned(),
            "POST" if has("uploads") => "begin".to_owned(),
            "POST" => "complete".to_owned(),
            "DELETE" if has("uploadId") => "abort".to_owned(),
            "GET" if has("uploads") => "uploads".to_owned(),
            "GET" if self.key.is_empty() => "list".to_owned(),
            method => method.to_lowercase(),
        }
    }
}

/// How a request goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// An error instead of an answer: status, code, and more headers.
    Error(u16, &'static str, Vec<(&'static str, String)>),
    /// Status 200, and an error in the body: nothing is done.
    ErrorInside(&'static str),
    /// The connection is reset after so many bytes of the body.
    Reset(u64),
    /// It is done, and no answer is sent.
    LostAnswer,
    /// The bytes arrive altered.
    Altered,
    /// The store forgets the upload.
    ForgetUpload,
    /// Any answer whatever: the whole head and the beginning of an endless body.
    Endless(&'static str),
    /// Any answer whatever.
    Raw(String),
    /// A list without objects.
    EmptyList,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub body: Vec<u8>,
    pub etag: String,
    pub meta: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
pub struct Unfinished {
    pub key: String,
    pub meta: BTreeMap<String, String>,
    pub parts: BTreeMap<u32, Vec<u8>>,
    pub begun_at: DateTime<Utc>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Stored>,
    uploads: BTreeMap<String, Unfinished>,
    journal: Vec<Request>,
    faults: Vec<(String, usize, Fault)>,
    next: u64,
    /// Requests for these steps are held, before or after they are done; a step that was let through is not.
    hold: Option<Hold>,
    clock_ahead: TimeDelta,
}

struct Hold {
    after: bool,
    passed: BTreeSet<String>,
    held: Option<String>,
}

/// The bucket; clones share it.
#[derive(Clone)]
pub struct Bucket {
    state: Arc<(Mutex<State>, Condvar)>,
    address: SocketAddr,
}

impl Bucket {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let bucket = Self {
            state: Arc::default(),
            address: listener.local_addr().expect("an address"),
        };
        let serving = bucket.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let bucket = serving.clone();
                std::thread::spawn(move || bucket.serve(&connection));
            }
        });
        bucket
    }

    /// The section of a configuration; parts are 64 KiB.
    pub fn section(&self, name: &str) -> String {
        format!(
            "[copies.{name}]\nurl = \"s3://bucket/pre fix\"\nendpoint = \"http://{}\"\npart_size = \"64KiB\"\nconcurrency = 1\n",
            self.address
        )
    }

    /// The variables with its access key.
    pub fn keys() -> [(&'static str, &'static std::ffi::OsStr); 2] {
        [
            ("AWS_ACCESS_KEY_ID", KEY.as_ref()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.as_ref()),
        ]
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The next `times` requests for a step (`put`, `part`, `complete`, …) go wrong.
    pub fn inject(&self, step: &str, times: usize, fault: Fault) {
        self.lock().faults.push((step.to_owned(), times, fault));
    }

    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    pub fn objects(&self) -> BTreeMap<String, Stored> {
        self.lock().objects.clone()
    }

    pub fn remove(&self, key: &str) {
        self.lock().objects.remove(key).expect("an object");
    }

    /// Puts an object there as another program would.
    pub fn place(&self, key: &str, body: &[u8]) {
        let etag = format!("\"{}\"", &sha256(body)[..32]);
        let (body, meta) = (body.to_vec(), BTreeMap::new());
        let stored = Stored { body, etag, meta };
        self.lock().objects.insert(key.to_owned(), stored);
    }

    /// Alters a byte of an object, and nothing that a list shows.
    pub fn corrupt(&self, key: &str) {
        self.lock().objects.get_mut(key).expect("an object").body[0] ^= 1;
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn uploads(&self) -> BTreeMap<String, Unfinished> {
        self.lock().uploads.clone()
    }

    /// Begins an upload that nobody will complete.
    pub fn stray(&self, key: &str, age: TimeDelta, now: DateTime<Utc>) {
        let upload = Unfinished {
            key: key.to_owned(),
            meta: BTreeMap::new(),
            parts: BTreeMap::new(),
            begun_at: now - age,
        };
        let mut state = self.lock();
        state.next += 1;
        let id = format!("stray{}", state.next);
        state.uploads.insert(id, upload);
    }

    pub fn journal(&self) -> Vec<Request> {
        self.lock().journal.clone()
    }

    /// How many requests there were for a step.
    pub fn count(&self, step: &str) -> usize {
        let journal = self.journal();
        journal
            .iter()
            .filter(|request| is_step(&request.step(), step))
            .count()
    }

    /// Holds the next request for each step that was not held before, before it is done or after.
    pub fn hold(&self, after: bool) {
        self.lock().hold = Some(Hold {
            after,
            passed: BTreeSet::new(),
            held: None,
        });
    }

    /// Waits for a request to be held, and returns its step; `None` if there was none for some seconds.
    pub fn held(&self, mut done: impl FnMut() -> bool) -> Option<String> {
        for _ in 0..3000 {
            if let Some(step) = self.lock().hold.as_ref().and_then(|hold| hold.held.clone()) {
                return Some(step);
            }
            if done() {
                return None;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("no request was held");
    }

    /// Lets what is held end, without an answer.
    pub fn release(&self) {
        if let Some(hold) = &mut self.lock().hold {
            hold.held = None;
        }
        self.state.1.notify_all();
    }

    /// Waits, if this step is one to be held. Returns whether it was.
    fn wait(&self, step: &str, after: bool) -> bool {
        let mut state = self.lock();
        let Some(hold) = state.hold.as_mut().filter(|hold| hold.after == after) else {
            return false;
        };
        if !hold.passed.insert(step.to_owned()) {
            return false;
        }
        hold.held = Some(step.to_owned());
        while state
            .hold
            .as_ref()
            .is_some_and(|hold| hold.held.as_deref() == Some(step))
        {
            state = self.state.1.wait(state).expect("no panic");
        }
        true
    }

    fn serve(&self, connection: &TcpStream) {
        let mut reader = BufReader::new(connection);
        while let Some((request, fault)) = self.receive(&mut reader) {
            let step = request.step();
            if self.wait(&step, false) {
                return;
            }
            let answer = self.answer(&request, fault.as_ref());
            if self.wait(&step, true) {
                return;
            }
            let mut to = connection;
            match (&fault, answer) {
                (Some(Fault::Reset(_) | Fault::LostAnswer), _) => return,
                (Some(Fault::Endless(head)), _) => {
                    let chunk = vec![b'<'; 1 << 16];
                    _ = to.write_all(head.as_bytes());
                    while to.write_all(&chunk).is_ok() {}
                    return;
                }
                (_, answer) => {
                    let head = request.method == "HEAD";
                    if to.write_all(&answer.bytes(self.now(), head)).is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn now(&self) -> DateTime<Utc> {
        now() + self.lock().clock_ahead
    }

    /// Reads a request, and finds its fault.
    fn receive(&self, reader: &mut BufReader<&TcpStream>) -> Option<(Request, Option<Fault>)> {
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
        let mut request = Request {
            method: method.to_owned(),
            key,
            query,
            headers,
            body: Vec::new(),
        };
        let fault = self.fault(&request.step());
        let read = match fault {
            Some(Fault::Reset(bytes)) => bytes.min(length),
            _ => length,
        };
        reader.take(read).read_to_end(&mut request.body).ok()?;
        self.lock().journal.push(request.clone());
        Some((request, fault))
    }

    fn fault(&self, step: &str) -> Option<Fault> {
        let mut state = self.lock();
        let found = state
            .faults
            .iter_mut()
            .find(|(of, times, _)| *times > 0 && is_step(step, of))?;
        found.1 -= 1;
        Some(found.2.clone())
    }

    fn answer(&self, request: &Request, fault: Option<&Fault>) -> Answer {
        match fault {
            Some(Fault::Error(status, code, headers)) => {
                let mut answer = Answer::error(*status, code);
                answer.headers.extend(headers.iter().cloned());
                return answer;
            }
            Some(Fault::ErrorInside(code)) => {
                let mut answer = Answer::error(200, code);
                answer.status = 200;
                return answer;
            }
            Some(Fault::Reset(_) | Fault::Endless(_)) => return Answer::new(200),
            Some(Fault::Raw(text)) => {
                return Answer {
                    raw: Some(text.clone()),
                    ..Answer::new(200)
                };
            }
            Some(Fault::Altered) => return Answer::error(400, "XAmzContentSHA256Mismatch"),
            Some(Fault::ForgetUpload) => {
                let id = request.query.get("uploadId").cloned().unwrap_or_default();
                self.lock().uploads.remove(&id);
            }
            Some(Fault::EmptyList) => {
                return Answer::xml(
                    "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
                );
            }
            Some(Fault::LostAnswer) | None => {}
        }
        self.handle(request)
    }

    fn handle(&self, request: &Request) -> Answer {
        let signed = request.headers.get("authorization");
        if !signed.is_some_and(|text| text.contains(&format!("Credential={KEY}/"))) {
            return Answer::error(403, "InvalidAccessKeyId");
        }
        let hash = request
            .headers
            .get("x-amz-content-sha256")
            .map(String::as_str);
        if hash != Some("UNSIGNED-PAYLOAD") && hash != Some(&sha256(&request.body)) {
            return Answer::error(400, "XAmzContentSHA256Mismatch");
        }
        let step = request.step();
        let mut state = self.lock();
        match step.split(' ').next().unwrap_or_default() {
            "head" => state.get(&request.key, false),
            "get" => state.get(&request.key, true),
            "put" => state.put(request),
            "begin" => state.begin(request, now()),
            "part" => state.part(request),
            "complete" => state.complete(request),
            "abort" => match state.uploads.remove(&request.query["uploadId"]) {
                Some(_) => Answer::new(204),
                None => Answer::error(404, "NoSuchUpload"),
            },
            "uploads" => state.list_uploads(request),
            "list" => state.list(request),
            "delete" => {
                state.objects.remove(&request.key);
                Answer::new(204)
            }
            _ => Answer::error(501, "NotImplemented"),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a server has a clock of its own")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

fn is_step(step: &str, of: &str) -> bool {
    step == of || step.split(' ').next() == Some(of)
}

fn decode(text: &str) -> String {
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
