//! Links from outside: a next link never leaves the origin, a media link never reaches a private address.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use room_archiver::addresses::is_public;
use room_archiver::download::http::addresses::check;
use room_archiver::model::MediaLink;
use room_archiver::signalwire::next_url;
use serde_json::Value;
use url::{Host, Url};

const TTL: Duration = Duration::from_secs(900);

fuzz_target!(|text: &str| {
    let request = Url::parse("https://example.signalwire.com/api/video/room_sessions?page_size=2");
    let request = request.expect("a URL");
    if let Ok(Some(next)) = next_url(&request, Some(&Value::from(text))) {
        // As it is sent, not as the parser understood it.
        assert!(next.as_str().starts_with("https://example.signalwire.com/"));
        let again = Url::parse(next.as_str()).expect("a URL");
        assert_eq!((again.host_str(), again.port()), (request.host_str(), None));
        assert!(next.username().is_empty() && next.password().is_none());
    }

    let now = chrono::DateTime::from_timestamp(1_795_464_147, 0).map(|now| now.naive_utc());
    let Ok(link) = MediaLink::parse(text, Duration::ZERO, TTL, now) else {
        return;
    };
    assert!(link.life_left(Duration::ZERO) <= TTL);
    assert_eq!(format!("{link:?}"), format!("MediaLink({}/…)", link.host()));
    let url = link.expose();
    for allow_private in [false, true] {
        if check(url, allow_private).is_ok() {
            assert!(allow_private || url.scheme() == "https");
            assert!(url.username().is_empty() && url.password().is_none());
            let public = match url.host().expect("a host") {
                Host::Ipv4(ip) => is_public(ip.into()),
                Host::Ipv6(ip) => is_public(ip.into()),
                // A name's addresses are checked when it is resolved; it must not be an address to others.
                Host::Domain(name) => name.parse::<std::net::IpAddr>().is_err(),
            };
            assert!(allow_private || public);
        }
    }
});
