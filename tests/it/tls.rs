//! Certificates: those that prove nothing are refused, a private authority can be configured, and nothing
//! switches the verification off. The fake space is put behind a TLS listener.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fake_space::{Action, Rule};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use room_archiver::clock::Clock;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

use super::harness::Setting;
use super::text;

/// Who signed a certificate, for whom, until when.
struct Kind {
    by: Signed,
    host: &'static str,
    expires: i32,
}

/// The authority that is configured, one of the same name that is not, or nobody.
enum Signed {
    Trusted,
    Unknown,
    Itself,
}

const GOOD: Kind = Kind {
    by: Signed::Trusted,
    host: "localhost",
    expires: 2200,
};

/// A private authority.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "an authority of the tests");
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        let issuer = Issuer::new(params, key);
        Self { pem, issuer }
    }

    /// A server's configuration with a certificate of this kind.
    fn server(&self, kind: &Kind) -> ServerConfig {
        let mut params = CertificateParams::new(vec![kind.host.to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(kind.expires, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = match kind.by {
            Signed::Trusted => params.signed_by(&key, &self.issuer),
            Signed::Unknown => params.signed_by(&key, &Self::new().issuer),
            Signed::Itself => params.self_signed(&key),
        };
        let chain = vec![certificate.expect("a certificate").der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocols")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a key that fits")
    }
}

/// A TLS listener on a thread of its own that hands on what it decrypts; tells its port.
fn terminate(config: ServerConfig, to: &str) -> u16 {
    let to: SocketAddr = to
        .trim_start_matches("http://")
        .parse()
        .expect("an address");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    std::thread::spawn(move || {
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut outer = acceptor.accept(stream).await.ok()?;
                    let mut inner = tokio::net::TcpStream::connect(to).await.ok()?;
                    tokio::io::copy_bidirectional(&mut outer, &mut inner)
                        .await
                        .ok()
                });
            }
        });
    });
    port
}

fn write_authority(setting: &Setting, authority: &Authority) -> PathBuf {
    let file = setting.directory.path().join("ca.pem");
    std::fs::write(&file, &authority.pem).expect("a file");
    file
}

/// Shows a recording's link as one to this place; what came by a hop is signed for the true host.
fn lead_to(setting: &Setting, recording: Uuid, origin: String) {
    let media = setting.space.media_url();
    setting.space.map_uri(recording, move |uri| {
        uri.replace(&media, &format!("{origin}/hop/0"))
    });
}

/// Certificates that must not be believed, with what is said of each.
const BAD: [(Kind, &str); 4] = [
    (
        Kind {
            expires: 2020,
            ..GOOD
        },
        "expired",
    ),
    (
        Kind {
            host: "elsewhere.example",
            ..GOOD
        },
        "not valid for name",
    ),
    (
        Kind {
            by: Signed::Itself,
            ..GOOD
        },
        "UnknownIssuer",
    ),
    (
        Kind {
            by: Signed::Unknown,
            ..GOOD
        },
        "BadSignature",
    ),
];

#[test]
fn an_api_whose_certificate_proves_nothing_never_sees_the_token() {
    let authority = Authority::new();
    for (kind, reason) in &BAD {
        let mut setting = Setting::with("");
        setting.space.archivable("lesson");
        let port = terminate(authority.server(kind), &setting.space.api_url());
        let file = write_authority(&setting, &authority);
        setting.more = format!(
            "[signalwire]\nbase_url = \"https://localhost:{port}\"\nca_file = \"{}\"\n\
             [download]\nretry_initial = \"1ms\"\n",
            file.display()
        );
        let output = setting.run(&["once"]);
        assert_eq!(output.status.code(), Some(1), "{reason}");
        let error = setting.sql("SELECT error FROM passes");
        assert!(error.contains("invalid peer certificate"), "{error}");
        assert!(error.contains(reason), "{reason}: {error}");
        assert!(setting.space.journal().is_empty(), "{reason}");
    }
}

#[tokio::test]
async fn a_media_host_whose_certificate_proves_nothing_is_not_asked() {
    let authority = Authority::new();
    for (kind, reason) in &BAD {
        let mut setting = Setting::with("");
        let (_, recording) = setting.space.archivable("lesson");
        let port = terminate(authority.server(kind), &setting.space.media_url());
        lead_to(&setting, recording, format!("https://localhost:{port}"));
        let file = write_authority(&setting, &authority);
        setting.more = format!(
            "[signalwire]\nca_file = \"{}\"\n[download]\nretry_initial = \"10m\"\n",
            file.display()
        );
        let archive = setting.open(&Clock::system()).await;
        archive.poll().await;
        assert_eq!(archive.download().await, 0, "{reason}");
        let error = setting.sql("SELECT last_error FROM queue");
        assert!(error.contains("invalid peer certificate"), "{error}");
        assert!(error.contains(reason), "{reason}: {error}");
        assert_eq!(setting.space.counters().media_requests, 0, "{reason}");
        assert_eq!(setting.sql("SELECT state FROM queue"), "pending");
    }
}

#[test]
fn a_private_authority_is_believed_if_it_is_configured_and_not_otherwise() {
    let authority = Authority::new();
    for configured in [true, false] {
        let mut setting = Setting::with("");
        let (_, recording) = setting.space.archivable("lesson");
        let server = || authority.server(&GOOD);
        let api = terminate(server(), &setting.space.api_url());
        let media = terminate(server(), &setting.space.media_url());
        lead_to(&setting, recording, format!("https://localhost:{media}"));
        let base = format!("[signalwire]\nbase_url = \"https://localhost:{api}\"\n");
        let file = write_authority(&setting, &authority);
        setting.more = if configured {
            format!("{base}ca_file = \"{}\"\n", file.display())
        } else {
            base
        };
        let output = setting.run(&["once"]);
        if configured {
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            assert_eq!(setting.count("archive"), "1");
        } else {
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            assert!(setting.space.journal().is_empty());
        }
    }
}

#[tokio::test]
async fn a_redirect_away_from_https_is_refused() {
    let authority = Authority::new();
    let mut setting = Setting::with("");
    let (_, recording) = setting.space.archivable("lesson");
    let port = terminate(authority.server(&GOOD), &setting.space.media_url());
    // The plain link would work: loopback is allowed here.
    let plain = setting.space.link(recording).expect("a link");
    setting
        .space
        .inject(Rule::media(Action::Redirect(302, plain)).once());
    lead_to(&setting, recording, format!("https://localhost:{port}"));
    let file = write_authority(&setting, &authority);
    setting.more = format!(
        "[signalwire]\nca_file = \"{}\"\n[download]\nretry_initial = \"10m\"\n",
        file.display()
    );
    let archive = setting.open(&Clock::system()).await;
    archive.poll().await;
    assert_eq!(archive.download().await, 0);
    assert_eq!(
        setting.sql("SELECT last_error FROM queue"),
        "the media host redirected away from https"
    );
    assert_eq!(setting.space.counters().media_requests, 1);
}

#[tokio::test]
async fn a_host_that_takes_connections_and_says_nothing_is_given_up() {
    // The kernel takes the connection; nobody ever answers the handshake.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let mut setting = Setting::with("");
    setting.more =
        "[signalwire]\nconnect_timeout = \"300ms\"\n[download]\nretry_initial = \"10m\"\n"
            .to_owned();
    let (_, recording) = setting.space.archivable("lesson");
    lead_to(&setting, recording, format!("https://localhost:{port}"));
    let archive = setting.open(&Clock::system()).await;
    archive.poll().await;
    let soon = tokio::time::timeout(Duration::from_secs(20), archive.download());
    assert_eq!(soon.await, Ok(0), "sooner than any other time-out");
    let found = setting.sql("SELECT state, outcome FROM queue JOIN attempts USING (recording_id)");
    assert_eq!(found, "pending|retry");
    // By its own time-out, not by one for an answer or a stall.
    let error = setting.sql("SELECT error FROM attempts");
    assert!(
        error.ends_with("client error (Connect): operation timed out"),
        "{error}"
    );
}

#[test]
fn nothing_switches_the_verification_off() {
    let mut setting = Setting::with("");
    for key in [
        "verify",
        "tls_verify",
        "insecure",
        "skip_verify",
        "accept_invalid_certs",
    ] {
        setting.more = format!("[signalwire]\n{key} = true\n");
        let output = setting.run(&["config", "check"]);
        assert_eq!(output.status.code(), Some(2), "{key}");
        assert!(format!("{}{}", text(&output.stdout), text(&output.stderr)).contains(key));
    }
    // Nor does the code: the libraries' ways to do so have telling names.
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut pending = vec![sources];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).expect("a directory").flatten();
            pending.extend(entries.map(|entry| entry.path()));
        } else {
            let source = std::fs::read_to_string(&path).expect("text");
            // What rustls calls dangerous is how the system's verifier is given more authorities to trust.
            let source = source.replace(
                ".dangerous()\n            .with_custom_certificate_verifier(Arc::new(verifier))",
                "",
            );
            for word in ["danger_", "dangerous()", "tls_danger", "ServerCertVerifier"] {
                assert!(!source.contains(word), "{word} in {}", path.display());
            }
        }
    }
}
