//! Which addresses a media host may have. A link comes from outside: it must not reach into the
//! customer's own network. The address that is checked is the one that is connected to.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Why a link's URL may not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not https.
    #[error("the link's scheme is not https")]
    Scheme,
    /// An address inside the customer's network.
    #[error(
        "the media host has a private or local address; if that is right, set download.allow_private_hosts"
    )]
    Address,
    /// User name or password.
    #[error("the link holds a user name or password")]
    UserInfo,
}

/// Checks a URL before it is asked, at every hop of a redirect. `allow_private` lets loopback and
/// private hosts pass, and plain http to loopback: for tests and demos.
pub fn check(url: &Url, allow_private: bool) -> Result<(), Refused> {
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        _ => None,
    };
    let local = ip.is_some_and(|ip| ip.is_loopback()) || url.host_str() == Some("localhost");
    match url.scheme() {
        "https" => {}
        "http" if allow_private && local => {}
        _ => return Err(Refused::Scheme),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::UserInfo);
    }
    if !allow_private && ip.is_some_and(|ip| !is_public(ip)) {
        return Err(Refused::Address);
    }
    Ok(())
}

/// Whether an address lies on the public Internet (IANA's special-purpose registries, RFC 6890).
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
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
        IpAddr::V6(ip) => {
            let segments = ip.segments();
            let embedded = |high: u16, low: u16| {
                let bits = u32::from(high) << 16 | u32::from(low);
                is_public(IpAddr::V4(Ipv4Addr::from_bits(bits)))
            };
            match segments {
                // IPv4-mapped and NAT64 addresses reach the IPv4 address they hold, 6to4 likewise.
                [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                    embedded(high, low)
                }
                [0x2002, high, low, ..] => embedded(high, low),
                // Only 2000::/3 is global unicast; within it lie protocols' own addresses (2001::/23, Teredo
                // among them) and documentation's.
                [first, second, ..] => {
                    first & 0xe000 == 0x2000
                        && !(first == 0x2001 && (second == 0xdb8 || second < 0x200))
                        && !(first == 0x3fff && second < 0x1000)
                }
            }
        }
    }
}

/// Resolves names and leaves out every address that may not be connected to.
#[derive(Debug, Clone)]
pub(super) struct CheckedResolver {
    pub allow_private: bool,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| allow_private || is_public(address.ip()))
                .collect();
            if allowed.is_empty() {
                return Err(Refused::Address.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
