use std::net::Ipv4Addr;

use proptest::prelude::*;
use url::Url;

use super::{Refused, check};

fn checked(url: &str, allow_private: bool) -> Result<(), Refused> {
    check(&Url::parse(url).expect("a URL"), allow_private)
}

#[test]
fn public_hosts_pass_over_https_alone() {
    for url in [
        "https://media.example.com/a",
        "https://8.8.8.8/a",
        "https://[2606:4700::1]/a",
    ] {
        assert_eq!(checked(url, false), Ok(()), "{url}");
        let plain = url.replace("https", "http");
        for allow in [true, false] {
            assert_eq!(checked(&plain, allow), Err(Refused::Scheme), "{plain}");
        }
    }
    assert_eq!(checked("ftp://8.8.8.8/a", true), Err(Refused::Scheme));
}

#[test]
fn loopback_passes_for_tests_and_demos_alone() {
    for url in [
        "http://127.0.0.1:8080/a",
        "http://[::1]/a",
        "http://localhost/a",
    ] {
        assert_eq!(checked(url, true), Ok(()), "{url}");
        assert_eq!(checked(url, false), Err(Refused::Scheme), "{url}");
    }
    assert_eq!(checked("https://127.0.0.1/a", false), Err(Refused::Address));
    // Private is not loopback: never without TLS.
    assert_eq!(checked("http://10.0.0.1/a", true), Err(Refused::Scheme));
    assert_eq!(checked("https://10.0.0.1/a", true), Ok(()));
}

#[test]
fn names_and_passwords_are_refused() {
    for url in [
        "https://user@media.example.com/a",
        "https://:word@media.example.com/a",
    ] {
        assert_eq!(checked(url, true), Err(Refused::UserInfo), "{url}");
    }
}

proptest! {
    #[test]
    fn an_address_written_otherwise_is_the_same_address(bits: u32, dot: bool) {
        let [a, b, c, d] = Ipv4Addr::from_bits(bits).octets();
        let dot = if dot { "." } else { "" };
        let expected = checked(&format!("https://{a}.{b}.{c}.{d}/"), false);
        for host in [
            format!("{bits}{dot}"),
            format!("{bits:#x}{dot}"),
            format!("0{bits:o}{dot}"),
            format!("0{a:o}.{b:#x}.{}{dot}", u16::from_be_bytes([c, d])),
            format!("{a}%2e{b}\u{3002}{c}\u{ff0e}{d}{dot}"),
        ] {
            prop_assert_eq!(checked(&format!("https://{host}/"), false), expected, "{}", host);
        }
    }
}
