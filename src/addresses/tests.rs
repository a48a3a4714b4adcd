use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use reqwest::dns::Resolve as _;

use super::{CheckedResolver, Forbidden, is_metadata, is_private, is_public};

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

#[test]
fn private_addresses_are_private_and_those_of_metadata_are_nothing() {
    let address = |text: &str| text.parse::<IpAddr>().expect("an address");
    for ip in [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "::1",
        "fd00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
    ] {
        let ip = address(ip);
        assert!(is_private(ip) && !is_public(ip) && !is_metadata(ip), "{ip}");
    }
    for ip in [
        "169.254.169.254",
        "169.254.1.1",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ] {
        let ip = address(ip);
        assert!(!is_private(ip) && is_metadata(ip), "{ip}");
    }
    for ip in [
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "fe80::1",
        "ff02::1",
        "240.0.0.1",
        "8.8.8.8",
    ] {
        assert!(!is_private(address(ip)), "{ip}");
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
}

#[tokio::test]
async fn a_name_that_is_not_found_is_a_failure_that_passes_and_not_forbidden() {
    let resolver = CheckedResolver(is_public);
    // Too long for a name: the system's resolver says so without asking anyone.
    let name = "x".repeat(70).parse().expect("a name");
    let error = resolver.resolve(name).await.err().expect("no address");
    assert!(!error.is::<Forbidden>(), "{error}");
    let local = || "localhost".parse().expect("a name");
    let error = resolver.resolve(local()).await.err().expect("no address");
    assert!(error.is::<Forbidden>(), "{error}");
    let private = CheckedResolver(is_private).resolve(local()).await;
    assert!(
        private
            .expect("an address")
            .all(|found| is_private(found.ip()))
    );
}
