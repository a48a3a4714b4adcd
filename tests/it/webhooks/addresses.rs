//! A webhook's address is checked where it is connected to: neither a name that changes its mind nor a redirect leads
//! where no webhook may be, and nothing at all leads to link-local addresses and those of cloud metadata.

use std::net::{IpAddr, TcpStream};
use std::process::Command;

use globset::GlobSet;
use room_archiver::clock::Clock;
use room_archiver::model::{EventType, WebhookSecret};
use room_archiver::notify::{Answer, Endpoint, Options};

use crate::harness::network::{Door, PUBLIC, alone_in_namespace, serve_dns};
use crate::harness::{SECRET, Setting};
use crate::text;

const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls/ca.pem");
/// Never connected to, whatever is allowed. In the namespace, each of them can be; see [`reachable`].
const NEVER: [&str; 3] = ["169.254.169.254", "100.100.100.200", "fd00:ec2::254"];
/// The same and others by all the ways they are written.
const LITERALS: [&str; 12] = [
    "https://169.254.169.254/",
    "https://169.254.169.254.:443/latest/meta-data/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/",
    "https://[::ffff:169.254.169.254]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://100.100.100.200/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "http://169.254.169.254:443/",
];
const PRIVATE_LITERALS: [&str; 4] = [
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
];

#[test]
fn addresses_that_are_not_public_are_refused_unless_they_are_allowed_and_some_always() {
    for (url, allow, expected) in [
        ("https://127.0.0.1:9/", false, "private or local address"),
        ("https://10.0.0.1/", false, "private or local address"),
        ("http://127.0.0.1:9/", false, "must begin with https://"),
        ("https://169.254.169.254/", true, "never connected to"),
        ("https://[fe80::1]/", true, "never connected to"),
        (
            "https://[::ffff:169.254.169.254]/",
            true,
            "never connected to",
        ),
        ("https://100.100.100.200/", true, "never connected to"),
        (
            "http://93.184.215.14/",
            true,
            "http is for private networks",
        ),
        ("https://localhost:9/", false, "no public address"),
    ] {
        let mut setting = Setting::with("");
        setting.webhook("ops", url, "");
        setting.more = setting.more.replace(
            "allow_private_addresses = true",
            &format!("allow_private_addresses = {allow}"),
        );
        let tested = setting.run(&["webhook", "test", "ops"]);
        let error = text(&tested.stderr);
        assert!(error.contains(expected), "{url}: {error}");
        assert_ne!(tested.status.code(), Some(0));
    }
    // Allowed, and then there is nobody.
    let mut setting = Setting::with("");
    setting.webhook("ops", "https://localhost:9/", "");
    let tested = setting.run(&["webhook", "test", "ops"]);
    let error = text(&tested.stderr);
    assert!(error.contains("could not connect"), "{error}");
}

#[test]
fn no_name_and_no_redirect_leads_a_webhook_where_it_may_not_connect() {
    alone_in_namespace("webhooks::addresses::in_a_namespace");
}

/// What the names of the zone are at each question.
fn zone(name: &str, nth: usize) -> Vec<IpAddr> {
    const METADATA: [&str; 5] = [
        "169.254.169.254",
        "100.100.100.200",
        "fe80::1",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
    ];
    let texts = match (name, nth) {
        ("hop.test", _) | ("rebind.test" | "pooled.test", 0) => vec![PUBLIC],
        ("mixed.test", _) => [&METADATA[..], &[PUBLIC]].concat(),
        // Beside what is private.
        ("public.test", _) => [&METADATA[..], &["127.0.0.1"]].concat(),
        // Only whoever asks again sees these.
        ("rebind.test", _) => vec!["127.0.0.1", "::1"],
        ("pooled.test" | "inside.test", _) => METADATA.to_vec(),
        _ => Vec::new(),
    };
    let parsed = texts.iter().map(|text| text.parse().expect("an address"));
    parsed.collect()
}

/// `/hop/N/M`: the Nth kind of redirect to the Mth address.
fn answers(path: &str) -> Vec<u8> {
    let hop = path
        .strip_prefix("/hop/")
        .and_then(|hop| hop.split_once('/'));
    let head = match hop {
        Some((status, literal)) => {
            let literal: usize = literal.parse().expect("a number");
            format!("HTTP/1.1 {status} X\r\nLocation: {}\r\n", LITERALS[literal])
        }
        // No client keeps a connection that ends.
        None if path == "/cut" => "HTTP/1.1 200 OK\r\nConnection: close\r\n".to_owned(),
        None => "HTTP/1.1 200 OK\r\n".to_owned(),
    };
    format!("{head}Content-Length: 0\r\n\r\n").into_bytes()
}

/// A webhook as the service has it, past the checks of the configuration.
fn endpoint(url: &str, allow_private_addresses: bool) -> Endpoint {
    _ = rustls::crypto::ring::default_provider().install_default();
    let ca = std::fs::read(CA).expect("a certificate");
    let ca = reqwest::Certificate::from_pem(&ca).expect("a certificate");
    Endpoint::new(Options {
        name: "ops".to_owned(),
        url: url.parse().expect("a URL"),
        secrets: vec![WebhookSecret::parse(SECRET).expect("a secret")],
        events: EventType::ALL.to_vec(),
        rooms: GlobSet::empty(),
        allow_private_addresses,
        room_names: true,
        ca: vec![ca],
    })
    .expect("a client")
}

async fn send(endpoint: &Endpoint) -> Answer {
    endpoint.test(Clock::system().now()).await
}

fn refused(answer: &Answer) -> bool {
    let error = answer.error.as_deref().unwrap_or_default();
    answer.status.is_none()
        && [
            "no public address",
            "never connected to",
            "no private address",
        ]
        .iter()
        .any(|text| error.contains(text))
}

#[test]
#[ignore = "it needs a namespace of its own"]
fn in_a_namespace() {
    for address in NEVER {
        let added = Command::new("ip")
            .args(["address", "add", address, "dev", "lo"])
            .status();
        assert!(added.expect("ip").success(), "{address}");
    }
    serve_dns(zone);
    let public = Door::open(PUBLIC, answers);
    let private = [Door::open("127.0.0.1", answers), Door::open("::1", answers)];
    let never = NEVER.map(|address| Door::open(address, answers));
    let to_private = || private.iter().map(Door::connections).sum::<usize>();
    let to_never = || never.iter().map(Door::connections).sum::<usize>();
    // Whoever checks nothing gets there, by name and by each family of addresses.
    for reachable in [
        "inside.test",
        "::ffff:169.254.169.254",
        "100.100.100.200",
        "fd00:ec2::254",
    ] {
        TcpStream::connect((reachable, 443)).expect("a way to what is never connected to");
    }
    let reached = 4;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        // Public at first. The server ends the connection, so that the name is asked for again.
        let rebinding = endpoint("https://rebind.test/cut", false);
        assert_eq!(send(&rebinding).await.status, Some(200));
        for _ in 0..3 {
            let answer = send(&rebinding).await;
            assert!(refused(&answer), "{answer:?}");
        }
        assert_eq!((public.count("/cut"), to_private()), (1, 0));
        let rebinding = endpoint("https://pooled.test/cut", true);
        assert_eq!(send(&rebinding).await.status, Some(200));
        for _ in 0..3 {
            let answer = send(&rebinding).await;
            assert!(refused(&answer), "{answer:?}");
        }
        assert_eq!(public.count("/cut"), 2);

        for allow in [false, true] {
            for url in LITERALS.into_iter().chain(["https://inside.test/"]) {
                let answer = send(&endpoint(url, allow)).await;
                assert!(refused(&answer), "{url}, {allow}: {answer:?}");
            }
            // Of many addresses, only the one that may be.
            let answer = send(&endpoint("https://mixed.test/mixed", allow)).await;
            assert_eq!(answer.status, Some(200), "{answer:?}");
            for status in [301, 302, 303, 307, 308] {
                for literal in 0..LITERALS.len() {
                    let hop = endpoint(&format!("https://hop.test/hop/{status}/{literal}"), allow);
                    let answer = send(&hop).await;
                    assert_eq!(answer.status, Some(status), "{answer:?}");
                    assert!(answer.error.expect("an error").contains("not followed"));
                }
            }
        }
        assert_eq!(public.count("/mixed"), 2);
        assert_eq!(to_private(), 0, "a private address was connected to");
        for url in PRIVATE_LITERALS
            .into_iter()
            .chain(["https://localhost/", "https://public.test/"])
        {
            let answer = send(&endpoint(url, false)).await;
            assert!(refused(&answer), "{url}: {answer:?}");
        }
        assert_eq!(to_private(), 0, "a private address was connected to");

        // The same where private addresses are allowed: what was not seen above could have been.
        let answer = send(&endpoint("https://public.test/both", true)).await;
        assert_eq!(answer.status, Some(200), "{answer:?}");
        assert_eq!(private[0].count("/both"), 1);
        let answer = send(&endpoint("https://localhost/", true)).await;
        assert_eq!(answer.status, Some(200), "{answer:?}");
    });
    assert_eq!(to_never(), reached, "a forbidden address was connected to");

    the_service_does_the_same();
    assert_eq!(to_never(), reached, "a forbidden address was connected to");
}

/// Webhooks of a configuration, sent to as events come.
fn the_service_does_the_same() {
    let mut setting = Setting::with(&format!("[signalwire]\nca_file = \"{CA}\"\n"));
    setting.webhook("inside", "https://inside.test/", "");
    setting.webhook("mixed", "https://mixed.test/", "");
    setting.webhook("hop", "https://hop.test/hop/307/0", "");
    setting.webhook("http", "http://inside.test:443/", "");
    setting.space.archivable("lesson");
    setting.once(0);
    let told = setting
        .sql("SELECT webhook, state, coalesce(http_status, '') FROM deliveries ORDER BY webhook");
    assert_eq!(
        told,
        "hop|pending|307\nhttp|pending|\ninside|pending|\nmixed|delivered|200"
    );
}
