//! Which addresses a client of ours may connect to. Names are resolved here, so that the address that is checked is
//! the one that is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// None of a name's addresses may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the host has no address that may be connected to")]
pub struct Forbidden;

/// Whether an address lies on the public Internet (IANA's special-purpose registries, RFC 6890).
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match embedded(ip) {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_broadcast()
                || ip.is_documentation()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 192 && b == 88 && c == 99)
                || (a == 198 && (18..20).contains(&b)))
        }
        // Only 2000::/3 is global unicast; within it lie protocols' own addresses (2001::/23, Teredo among them) and
        // documentation's.
        IpAddr::V6(ip) => {
            let [first, second, ..] = ip.segments();
            first & 0xe000 == 0x2000
                && !(first == 0x2001 && (second == 0xdb8 || second < 0x200))
                && !(first == 0x3fff && second < 0x1000)
        }
    }
}

/// Addresses of cloud providers that hand out a machine's credentials and lie outside the link-local ranges: of
/// Amazon and Google over IPv6, Alibaba, Oracle and Azure.
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(168, 63, 129, 16),
];

/// Whether an address hands out a machine's credentials in a cloud, by whichever way it is written.
#[must_use]
pub fn is_metadata(ip: IpAddr) -> bool {
    match embedded(ip) {
        IpAddr::V4(ip) => ip.is_link_local() || METADATA_V4.contains(&ip),
        IpAddr::V6(ip) => METADATA_V6.contains(&ip),
    }
}

/// Whether an address is this machine's own or lies in a private network. Link-local addresses and those of cloud
/// metadata are neither public nor private.
#[must_use]
pub fn is_private(ip: IpAddr) -> bool {
    let private = match embedded(ip) {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_loopback() || ip.is_private() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.segments()[0] & 0xfe00 == 0xfc00,
    };
    private && !is_metadata(ip)
}

/// The IPv4 address that an IPv6 address reaches: IPv4-mapped, NAT64 and 6to4 addresses hold one.
fn embedded(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => {
            IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => ip,
    }
}

/// Resolves names and leaves out every address that may not be connected to.
#[derive(Debug, Clone, Copy)]
pub struct CheckedResolver(pub fn(IpAddr) -> bool);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let mut left: Vec<SocketAddr> = found.collect();
            left.retain(|address| allowed(address.ip()));
            if left.is_empty() {
                return Err(Forbidden.into());
            }
            Ok(Box::new(left.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
