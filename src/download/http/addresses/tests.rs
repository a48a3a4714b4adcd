use reqwest::dns::Resolve as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use url::Url;

use super::{Refused, check, is_public};

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

#[test]
fn addresses_of_special_purpose_are_not_public() {
    for ip in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "192.88.99.1",
        "2001::1",
        "2001:2::1",
        "2001:20::1",
        "3fff::1",
        "2001:db8::1",
        "fc00::1",
        "fd00::1",
        "fe80::1",
        "ff02::1",
        "::10.0.0.1",
    ] {
        assert!(!is_public(ip.parse().expect("an address")), "{ip}");
    }
    for ip in [
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.0.1",
        "172.32.0.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "2606:4700::1",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
    ] {
        assert!(is_public(ip.parse().expect("an address")), "{ip}");
    }
}

proptest! {
    #[test]
    fn an_embedded_address_is_as_public_as_itself(bits: u32) {
        let v4 = Ipv4Addr::from_bits(bits);
        let [a, b, c, d] = v4.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        for v6 in [
            v4.to_ipv6_mapped(),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
        ] {
            prop_assert_eq!(is_public(v4.into()), is_public(v6.into()), "{}", v6);
        }
    }

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

#[tokio::test]
async fn a_name_that_is_not_found_is_a_failure_that_passes_and_no_refusal() {
    let resolver = super::CheckedResolver {
        allow_private: false,
    };
    // Too long for a name: the system's resolver says so without asking anyone.
    let name = "x".repeat(70).parse().expect("a name");
    let error = resolver.resolve(name).await.err().expect("no address");
    assert!(!error.is::<super::Refused>(), "{error}");
    let local = "localhost".parse().expect("a name");
    let error = resolver.resolve(local).await.err().expect("no address");
    assert!(error.is::<super::Refused>(), "{error}");
}
