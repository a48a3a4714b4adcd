//! What every request passes first: the method, the host name, the user; and what every answer carries.

use std::net::IpAddr;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, HOST};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, Uri};
use axum::middleware::Next;

use super::failure::Failure;
use super::render;
use super::site::Shared;
use super::trust::Trust;
use crate::escape;

/// The longest user name that is logged.
const LONGEST_USER: usize = 200;

/// Headers of every answer. The page needs its own style, pictures and media, and forms that lead to itself.
const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=()",
    ),
];
/// What a file of the archive may do, should a browser render it all the same: nothing.
const MEDIA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Peer {
    /// A process of this machine with access to the socket.
    Socket,
    /// An address.
    Address(IpAddr),
}

/// Who looks, as far as it is known.
#[derive(Debug, Clone)]
pub(super) struct Viewer {
    /// The user that a trusted proxy names, escaped.
    pub(super) user: String,
    /// The address of the connection.
    pub(super) peer: String,
}

/// Lets a request pass, or answers it.
pub(super) async fn guard(
    State(shared): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response<Body> {
    let media = request.uri().path().starts_with("/media/");
    let head = request.method() == Method::HEAD;
    let mut response = match shared.trust.check(&request) {
        Ok(viewer) => {
            request.extensions_mut().insert(viewer);
            next.run(request).await
        }
        Err(failure) => render::failure(&failure),
    };
    if head {
        *response.body_mut() = Body::empty();
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    if media {
        headers.insert(
            "content-security-policy",
            HeaderValue::from_static(MEDIA_POLICY),
        );
    }
    // Whoever logs out must not find recordings in the browser's cache; an ETag saves the transfer all the same.
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static(if media {
            "private, no-cache"
        } else {
            "no-store"
        }));
    if response.status() == axum::http::StatusCode::METHOD_NOT_ALLOWED {
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

impl Trust {
    fn check(&self, request: &Request) -> Result<Viewer, Failure> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(Failure::Method);
        }
        if !self.allows_host(request.headers(), request.uri()) {
            return Err(Failure::Misdirected);
        }
        let peer = request
            .extensions()
            .get::<Peer>()
            .copied()
            .unwrap_or(Peer::Socket);
        Ok(Viewer {
            user: self.user(request.headers(), peer)?,
            peer: match peer {
                Peer::Socket => "socket".to_owned(),
                Peer::Address(address) => address.to_string(),
            },
        })
    }

    /// Whether the request is for one of our names: a page elsewhere whose name leads here (DNS rebinding) has another.
    fn allows_host(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        let allowed = |host: &str| self.is_ours(host);
        host.to_str().is_ok_and(allowed)
            && uri.authority().is_none_or(|host| allowed(host.as_str()))
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            // The colons of an IPv6 address are inside of brackets.
            Some((name, port)) if !port.contains(']') => {
                if !port.bytes().all(|byte| byte.is_ascii_digit()) {
                    return false;
                }
                name
            }
            _ => host,
        };
        let same = |ours: &str| name.eq_ignore_ascii_case(ours);
        ["localhost", "127.0.0.1", "[::1]"].into_iter().any(same)
            || self.hosts.iter().any(|ours| same(ours))
    }

    /// The user that a trusted proxy names; empty, if none is needed.
    fn user(&self, headers: &HeaderMap, peer: Peer) -> Result<String, Failure> {
        let Some(header) = &self.user_header else {
            return Ok(String::new());
        };
        let trusted = match peer {
            Peer::Socket => true,
            Peer::Address(address) => self
                .proxies
                .iter()
                .any(|proxy| *proxy == address.to_canonical()),
        };
        let mut users = headers.get_all(header).iter();
        let user = match (users.next(), users.next()) {
            (Some(user), None) if trusted => {
                String::from_utf8_lossy(user.as_bytes()).trim().to_owned()
            }
            _ => return Err(Failure::NoUser),
        };
        if user.is_empty() || user.len() > LONGEST_USER {
            return Err(Failure::NoUser);
        }
        Ok(escape::line(&user).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_host_names_are_ours() {
        let trust = Trust {
            hosts: vec!["archive.example.org".to_owned()],
            ..Trust::default()
        };
        for ours in [
            "localhost",
            "LOCALHOST:8480",
            "127.0.0.1",
            "127.0.0.1:1",
            "[::1]",
            "[::1]:8480",
            "archive.example.org",
            "Archive.Example.org:443",
        ] {
            assert!(trust.is_ours(ours), "{ours}");
        }
        for other in [
            "",
            ":",
            "evil.example",
            "localhost.evil.example",
            "evil.example:8480",
            "archive.example.org.evil",
            "xlocalhost",
            "127.0.0.1.nip.io",
            "localhost:80:80",
            "localhost:x",
            "user@localhost",
            "localhost, evil.example",
            "[::1",
            "[::2]",
            "127.0.0.2",
            "0.0.0.0",
            "localhost.",
            "localhost/",
            " localhost",
        ] {
            assert!(!trust.is_ours(other), "{other}");
        }
    }

    #[test]
    fn a_user_is_believed_only_from_a_proxy() {
        let mut trust = Trust {
            proxies: vec!["192.0.2.7".parse().expect("an address")],
            user_header: Some(HeaderName::from_static("x-user")),
            ..Trust::default()
        };
        let mut headers = HeaderMap::new();
        let [proxy, other] =
            ["192.0.2.7", "127.0.0.1"].map(|text| Peer::Address(text.parse().expect("an address")));
        assert!(trust.user(&headers, proxy).is_err(), "no user");
        headers.insert(
            "x-user",
            "ann\u{202e}\u{1b}"
                .replace('\u{1b}', "")
                .parse()
                .expect("a value"),
        );
        assert_eq!(trust.user(&headers, proxy).expect("a user"), "ann\\u202E");
        assert_eq!(
            trust.user(&headers, Peer::Socket).expect("a user"),
            "ann\\u202E"
        );
        let mapped = Peer::Address("::ffff:192.0.2.7".parse().expect("an address"));
        assert!(trust.user(&headers, mapped).is_ok());
        assert!(trust.user(&headers, other).is_err(), "from elsewhere");
        headers.append("x-user", "bob".parse().expect("a value"));
        assert!(trust.user(&headers, proxy).is_err(), "two users");
        trust.user_header = None;
        assert_eq!(trust.user(&headers, other).expect("none is needed"), "");
    }
}
