//! A small S3 server with faults: one bucket in memory, behind a real socket. It checks what a store checks: the key in
//! the signature, and that the bytes are those that were signed.

mod hold;
mod request;
mod store;

use std::collections::BTreeMap;
use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use chrono::{DateTime, TimeDelta, Utc};

use super::sha256;
use hold::Hold;
pub use request::{Request, is_sidecar};
use store::Answer;

pub const KEY: &str = "test:tester";
pub const SECRET: &str = "testing+secret/1";

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
    /// An error that repeats the headers of the request: with this status.
    Echo(u16),
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
    /// Each part has a checksum.
    pub checked: bool,
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
    access_key: String,
    /// Every request is refused.
    refuses: bool,
    /// Object Lock is on.
    locked: bool,
    /// Conditions of requests are not looked at.
    unconditional: bool,
}

impl State {
    fn of(key: &str) -> Mutex<Self> {
        Mutex::new(Self {
            access_key: key.to_owned(),
            ..Self::default()
        })
    }
}

/// The bucket; clones share it.
#[derive(Clone)]
pub struct Bucket {
    state: Arc<(Mutex<State>, Condvar)>,
    address: SocketAddr,
}

impl Bucket {
    pub fn start() -> Self {
        Self::start_for(KEY)
    }

    /// One that knows this access key alone.
    pub fn start_for(key: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let bucket = Self {
            state: Arc::new((State::of(key), Condvar::new())),
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

    /// Changes a value of a sidecar.
    pub fn forge(&self, key: &str, name: &str, value: serde_json::Value) {
        let mut state = self.lock();
        let stored = state.objects.get_mut(key).expect("a sidecar");
        let mut all: serde_json::Value = serde_json::from_slice(&stored.body).expect("JSON");
        all[name] = value;
        stored.body = all.to_string().into_bytes();
    }

    /// Cuts an object in half.
    pub fn cut(&self, key: &str) {
        let mut state = self.lock();
        let body = &mut state.objects.get_mut(key).expect("an object").body;
        body.truncate(body.len() / 2);
    }

    /// From now on every request is refused, or none.
    pub fn refuse(&self, refuses: bool) {
        self.lock().refuses = refuses;
    }

    /// Switches versions and Object Lock on.
    pub fn set_locked(&self) {
        self.lock().locked = true;
    }

    /// From now on conditions are ignored, as older stores do.
    pub fn ignore_conditions(&self) {
        self.lock().unconditional = true;
    }

    pub fn set_clock_ahead(&self, by: TimeDelta) {
        self.lock().clock_ahead = by;
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
            checked: false,
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
        let (mut request, length) = Request::head(reader)?;
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
            Some(Fault::Echo(status)) => return Answer::echo(*status, request),
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
        let credential = format!("Credential={}/", self.lock().access_key);
        if !signed.is_some_and(|text| text.contains(&credential)) {
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
        if state.refuses {
            return Answer::error(403, "AccessDenied");
        }
        if let Some(refusal) = state.refuse_unchecked(request, &step) {
            return refusal;
        }
        match step.split(' ').next().unwrap_or_default() {
            "head" => state.get(&request.key, false),
            "get" => state.get(&request.key, true),
            "put" | "sidecar" => state.put(request),
            "copy" => state.copy(request),
            "versioning" => Answer::xml(state.versioning()),
            "lock" => state.lock_rule(),
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
