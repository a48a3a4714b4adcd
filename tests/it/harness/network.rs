//! A network of the tests' own: a namespace with a public address on its loopback, a DNS server whose
//! answers change, and doors that count who comes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Capability, skip};
use crate::text;

/// An address of the public Internet, which within the namespace is this machine's own.
pub const PUBLIC: &str = "93.184.215.14";

/// Runs an ignored test, which must succeed, in a network and a mount namespace of its own. Skipped where the machine
/// forbids that.
pub fn alone_in_namespace(test: &str) {
    let mut unshare = vec!["--net", "--mount"];
    if !rustix::process::geteuid().is_root() {
        unshare.push("--map-root-user");
    }
    let can = Command::new("unshare").args(&unshare).arg("true").output();
    if !can.as_ref().is_ok_and(|output| output.status.success()) {
        return skip(Capability::NetworkNamespaces, &format!("{can:?}"));
    }
    let etc = tempfile::tempdir().expect("a directory");
    let script = format!(
        "set -e
        ip link set lo up
        ip address add {PUBLIC}/32 dev lo
        mount -t tmpfs tmpfs \"$0\"
        # The nobody of a user namespace owns nothing, and may not read everything.
        cp -r --preserve=mode /etc/. \"$0\" 2>/dev/null || :
        rm -f \"$0/resolv.conf\" \"$0/nsswitch.conf\"
        echo 'nameserver 127.0.0.1' >\"$0/resolv.conf\"
        echo 'hosts: files dns' >\"$0/nsswitch.conf\"
        mount --bind \"$0\" /etc
        exec \"$@\""
    );
    let output = Command::new("unshare")
        .args(&unshare)
        .args(["sh", "-c", &script])
        .arg(etc.path())
        .arg(std::env::current_exe().expect("this file"))
        .args(["--exact", test, "--ignored", "--nocapture"])
        .stdin(Stdio::null())
        .output()
        .expect("a child");
    let told = text(&output.stdout);
    // A name that no test has would succeed too.
    assert!(
        told.contains("1 passed"),
        "{told}\n{}",
        text(&output.stderr)
    );
}

/// What a name's addresses are when it is asked for them the nth time, from 0.
pub type Zone = fn(name: &str, nth: usize) -> Vec<IpAddr>;

/// Answers every question on port 53, for as long as the process lives. Returns the names asked for.
pub fn serve_dns(zone: Zone) -> Arc<Mutex<Vec<String>>> {
    let socket = UdpSocket::bind("127.0.0.1:53").expect("the port is free in this namespace");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            let Some(answer) = dns_answer(&packet[..length], zone, &log) else {
                continue;
            };
            _ = socket.send_to(&answer, from);
        }
    });
    asked
}

/// The answer to a question for A or AAAA (RFC 1035, 4.1); each name is counted by its questions for A.
fn dns_answer(question: &[u8], zone: Zone, log: &Mutex<Vec<String>>) -> Option<Vec<u8>> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).into_owned());
        at += length;
    }
    let (name, kind) = (labels.join(".").to_lowercase(), *question.get(at + 1)?);
    let mut asked = log.lock().unwrap_or_else(PoisonError::into_inner);
    let nth = asked.iter().filter(|known| **known == name).count();
    // A and AAAA are asked for in pairs; the second of a pair must not see what comes next.
    let addresses = if kind == 1 {
        asked.push(name.clone());
        zone(&name, nth)
    } else {
        zone(&name, nth.saturating_sub(1))
    };
    let octets = addresses
        .into_iter()
        .filter_map(|address| match (kind, address) {
            (1, IpAddr::V4(ip)) => Some(ip.octets().to_vec()),
            (28, IpAddr::V6(ip)) => Some(ip.octets().to_vec()),
            _ => None,
        });
    let octets: Vec<_> = octets.collect();
    let mut answer = question.get(..2)?.to_vec();
    answer.extend([
        0x81,
        0x80,
        0,
        1,
        0,
        u8::try_from(octets.len()).ok()?,
        0,
        0,
        0,
        0,
    ]);
    answer.extend(question.get(12..at + 4)?);
    for address in octets {
        // The name of the question; its kind; class IN; no time to live.
        answer.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 0, 0]);
        answer.push(u8::try_from(address.len()).ok()?);
        answer.extend(address);
    }
    Some(answer)
}

/// The whole answer to a request for this path, head included. It ends the connection if it is cut.
pub type Answers = fn(path: &str) -> Vec<u8>;

/// A TLS server on port 443 that remembers every connection, and every path that was asked for.
pub struct Door {
    /// `connected`, or a path.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Door {
    pub fn open(ip: &str, answers: Answers) -> Self {
        let ip: IpAddr = ip.parse().expect("an address");
        let listener = TcpListener::bind((ip, 443)).expect("a port of this namespace");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, tls) = (Arc::clone(&seen), tls());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                note(&log, "connected");
                let (log, tls) = (Arc::clone(&log), Arc::clone(&tls));
                std::thread::spawn(move || {
                    let session = ServerConnection::new(tls).expect("a configuration");
                    _ = serve(StreamOwned::new(session, stream), answers, &log);
                });
            }
        });
        Self { seen }
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.count("connected")
    }

    /// Connections, or requests for this path.
    pub fn count(&self, what: &str) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|seen| *seen == what).count()
    }
}

fn note(log: &Mutex<Vec<String>>, what: &str) {
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.push(what.to_owned());
}

fn tls() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("../tls/leaf.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../tls/leaf.key"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.expect("a certificate")],
            key.expect("a key"),
        );
    Arc::new(config.expect("they fit"))
}

/// Keeps the connection for the next request, so that a client may use it again.
fn serve(
    stream: StreamOwned<ServerConnection, std::net::TcpStream>,
    answers: Answers,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut request = String::new();
        if stream.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let (mut line, mut length) = (String::new(), 0);
        while stream.read_line(&mut line)? > 2 {
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or_default();
            }
            line.clear();
        }
        // What is left unread at the end would reset the connection before the answer is read.
        std::io::copy(&mut stream.by_ref().take(length), &mut std::io::sink())?;
        let path = request.split(' ').nth(1).unwrap_or_default();
        note(log, path);
        stream.get_mut().write_all(&answers(path))?;
        stream.get_mut().flush()?;
        if path.starts_with("/cut") {
            return Ok(());
        }
    }
}
