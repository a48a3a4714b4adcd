//! Whom the page believes what.

use std::net::IpAddr;

use axum::http::HeaderName;

/// Whom to believe what.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Host names, besides those of loopback.
    pub hosts: Vec<String>,
    /// Proxies by address; whoever can use the socket is one, too.
    pub proxies: Vec<IpAddr>,
    /// The header in which a proxy names the user. With it, requests without a user are refused.
    pub user_header: Option<HeaderName>,
}
