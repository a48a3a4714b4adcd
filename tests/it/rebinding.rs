//! A media host's address is checked where it is connected to: names that change their mind, or hide where
//! they lead, reach nothing in the customer's own network.

use std::net::IpAddr;
use std::time::Duration;

use fake_space::{Fixture, Media, NewRecording, NewSession};
use room_archiver::download::Media as Client;
use room_archiver::model::MediaLink;

use super::harness::Setting;
use super::harness::network::{Door, PUBLIC, alone_in_namespace, serve_dns};

const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls/ca.pem");
const FIXTURE: Fixture = Fixture::OneSecondFastStart;
const FILE: &[u8] = include_bytes!("../../fake-space/fixtures/one-second-faststart.mp4");
/// Where redirects lead, by the number in the path.
const HOPS: [&str; 9] = [
    "https://inside.test/a.mp4",
    "https://127.0.0.1/a.mp4",
    "https://2130706433/a.mp4",
    "https://0177.0.0.1/a.mp4",
    "https://0x7f.1./a.mp4",
    "https://[::1]/a.mp4",
    "https://[::ffff:127.0.0.1]/a.mp4",
    "https://[64:ff9b::7f00:1]/a.mp4",
    "https://localhost./a.mp4",
];

#[test]
fn no_name_leads_into_the_customers_own_network() {
    alone_in_namespace("rebinding::in_a_namespace");
}

/// What the names of the zone are at each question.
fn zone(name: &str, nth: usize) -> Vec<IpAddr> {
    let texts: &[&str] = match (name, nth) {
        ("public.test" | "hop.test", _) | ("rebind.test" | "pooled.test", 0) => &[PUBLIC],
        ("mixed.test", _) => &[
            "127.0.0.1",
            "10.0.0.1",
            PUBLIC,
            "::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "fd00::1",
        ],
        // Only whoever asks again sees these.
        ("rebind.test" | "pooled.test" | "inside.test" | "localhost", _) => &["127.0.0.1", "::1"],
        _ => &[],
    };
    let parsed = texts.iter().map(|text| text.parse().expect("an address"));
    parsed.collect()
}

fn answers(path: &str) -> Vec<u8> {
    if let Some(hop) = path
        .strip_prefix("/hop/")
        .and_then(|hop| hop.parse::<usize>().ok())
    {
        let place = HOPS[hop];
        return format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n")
            .into_bytes();
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nETag: \"1\"\r\nContent-Length: {}\r\n\r\n",
        FILE.len()
    );
    let sent = if path.starts_with("/cut") {
        FILE.len() / 2
    } else {
        FILE.len()
    };
    [head.as_bytes(), &FILE[..sent]].concat()
}

/// A space whose recordings lie at these links.
fn setting(allow_private: bool, uris: &[String]) -> Setting {
    let setting = Setting::with(&format!(
        "[signalwire]\nca_file = \"{CA}\"\nconnect_timeout = \"2s\"\n\
         [download]\nallow_private_hosts = {allow_private}\nconcurrency = 1\nretry_initial = \"10m\"\n"
    ));
    for uri in uris {
        let session = setting.space.add_session(NewSession::completed(uri));
        let recording = NewRecording::completed(Media::fixture(FIXTURE));
        let recording = setting.space.add_recording(session, recording);
        setting.space.override_uri(recording, uri.as_str());
    }
    setting
}

#[test]
#[ignore = "it needs a namespace of its own"]
fn in_a_namespace() {
    let asked = serve_dns(zone);
    let public = Door::open(PUBLIC, answers);
    let inside = [Door::open("127.0.0.1", answers), Door::open("::1", answers)];
    let connections = || inside.iter().map(Door::connections).sum::<usize>();

    let good = ["https://public.test/a.mp4", "https://mixed.test/a.mp4"];
    let astray = [
        "https://rebind.test/cut.mp4",
        "https://inside.test/a.mp4",
        "https://localhost./a.mp4",
    ];
    let hops = (0..HOPS.len()).map(|hop| format!("https://hop.test/hop/{hop}"));
    let uris: Vec<_> = good
        .into_iter()
        .chain(astray)
        .map(str::to_owned)
        .chain(hops)
        .collect();

    let strict = setting(false, &uris);
    strict.once(4);
    // The first answer led to a transfer that was cut; now the name is asked for again.
    let cut = "SELECT recording_id FROM queue WHERE room_name LIKE '%rebind%'";
    assert_eq!(
        strict.run(&["retry", &strict.sql(cut)]).status.code(),
        Some(0)
    );
    let output = strict.run(&["once"]);
    assert_eq!(connections(), 0, "a private address was connected to");
    assert_eq!(
        strict.sql("SELECT room_name FROM archive ORDER BY room_name"),
        "https://mixed.test/a.mp4\nhttps://public.test/a.mp4",
        "{output:?}"
    );
    assert_eq!(
        strict.sql("SELECT DISTINCT last_error FROM queue"),
        "the media host has a private or local address; if that is right, set download.allow_private_hosts"
    );
    assert_eq!(strict.count("queue"), (uris.len() - good.len()).to_string());
    let count = |wanted: &str| {
        let asked = asked.lock().expect("the server lives");
        asked.iter().filter(|name| *name == wanted).count()
    };
    // The name was asked for again, and the answer was another.
    assert_eq!(public.count("/cut.mp4"), 1);
    assert!(count("rebind.test") >= 2);
    for (hop, place) in HOPS.iter().enumerate() {
        assert!(public.count(&format!("/hop/{hop}")) >= 1, "{place}");
    }

    pooled_connections_are_no_way_around(&public, &connections);

    // The same where private hosts are allowed: what was not seen above could have been.
    let before = connections();
    let lax = setting(true, &uris);
    let output = lax.run(&["once"]);
    assert!(connections() >= before + 3, "{output:?}");
    let cut: usize = inside.iter().map(|door| door.count("/cut.mp4")).sum();
    assert!(cut >= 1, "{output:?}");
    let found = lax.sql("SELECT count(*) FROM archive WHERE room_name LIKE '%inside%'");
    assert_eq!(found, "1", "{output:?}");
}

/// A client's connections are kept for its next requests; none is lent to a client of other rules, and
/// one that is used again leads where it was checked.
fn pooled_connections_are_no_way_around(public: &Door, connections: &dyn Fn() -> usize) {
    _ = rustls::crypto::ring::default_provider().install_default();
    let ca = std::fs::read(CA).expect("a certificate");
    let ca = reqwest::Certificate::from_pem(&ca).expect("a certificate");
    let second = Duration::from_secs(2);
    let client = |allow| Client::new(second, second, allow, vec![ca.clone()]).expect("a client");
    let link = |uri| MediaLink::parse(uri, Duration::ZERO, second, None).expect("a link");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (strict, lax) = (client(false), client(true));
        let get = async |client: &Client, uri| {
            let mut answer = client
                .get(&link(uri), None)
                .await
                .map_err(|failure| format!("{failure:?}"))?;
            let mut len = 0;
            while let Some(piece) = answer.chunk().await.expect("a body") {
                len += piece.len();
            }
            Ok::<_, String>(len)
        };
        assert_eq!(get(&lax, "https://inside.test/a.mp4").await, Ok(FILE.len()));
        let lent = connections();
        assert!(lent >= 1);
        let refused = get(&strict, "https://inside.test/a.mp4")
            .await
            .expect_err("a refusal");
        assert!(refused.contains("private or local address"), "{refused}");

        let opened = public.connections();
        for _ in 0..3 {
            assert_eq!(
                get(&strict, "https://pooled.test/b.mp4").await,
                Ok(FILE.len())
            );
        }
        assert_eq!((public.connections(), connections()), (opened + 1, lent));
        assert_eq!(public.count("/b.mp4"), 3);
    });
}
