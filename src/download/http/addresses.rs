//! Which addresses a media host may have. A link comes from outside: it must not reach into the
//! customer's own network.

use std::net::IpAddr;

use url::{Host, Url};

use crate::addresses::is_public;

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

#[cfg(test)]
mod tests;
