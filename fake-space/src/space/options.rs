//! How a space behaves, and what it does unless told otherwise.

use std::time::Duration;

use uuid::Uuid;

/// The order of the rows of a list; the true one is undocumented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By `created_at`, the latest first.
    NewestFirst,
    /// By `created_at`, the earliest first.
    OldestFirst,
    /// Without order, but the same on every page.
    Shuffled(u64),
}

/// The form of the links between pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextLinks {
    /// With scheme and host.
    Absolute,
    /// From the path on.
    Relative,
}

/// Links to a web server instead of the space's own media origin, in the form that nginx's `secure_link`
/// module checks with `secure_link_md5 "$secure_link_expires$uri SECRET"`; for benchmarks.
#[derive(Debug, Clone)]
pub struct SecureLinks {
    /// The URL of the directory that holds what [`crate::Space::export`] wrote.
    pub base: String,
    /// The secret that both know.
    pub secret: String,
}

/// The form of the body of a 422.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaints {
    /// A list of errors, as documented.
    Listed,
    /// The error itself, as older documents have it.
    Bare,
    /// One that names no parameter.
    Unnamed,
}

/// How a space behaves; everything but the ports, the marker and the journal's size can be changed
/// while it runs ([`crate::Space::configure`]).
#[derive(Debug, Clone)]
pub struct Options {
    /// No page is longer, whatever is asked.
    pub page_size_cap: u64,
    /// Longer pages are refused with a 422.
    pub page_size_max: u64,
    /// Links that live longer are refused with a 422.
    pub media_ttl_max: u64,
    /// The form of a 422.
    pub complaints: Complaints,
    /// The order of lists.
    pub order: Order,
    /// The form of the links between pages.
    pub next_links: NextLinks,
    /// Whether the links between pages carry the `media_ttl` of the request.
    pub next_keeps_media_ttl: bool,
    /// Life of a media link when the request names none.
    pub link_ttl_default: Duration,
    /// Media links die after this time, whatever they promise.
    pub real_link_life: Option<Duration>,
    /// Stands in the signature of every link, for tests that look for leaks. Letters and digits.
    pub signature_marker: Option<String>,
    /// Links lead to this web server.
    pub secure_links: Option<SecureLinks>,
    /// The project's id.
    pub project_id: Uuid,
    /// The API token.
    pub token: String,
    /// Port of the API; 0: any.
    pub api_port: u16,
    /// Port of the media store; 0: any.
    pub media_port: u16,
    /// Ids follow from it.
    pub seed: u64,
    /// The journal holds so many requests; older ones are let go.
    pub journal_cap: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            page_size_cap: 1000,
            page_size_max: 1000,
            media_ttl_max: u64::MAX,
            complaints: Complaints::Listed,
            order: Order::NewestFirst,
            next_links: NextLinks::Absolute,
            next_keeps_media_ttl: true,
            link_ttl_default: Duration::from_mins(15),
            real_link_life: None,
            signature_marker: None,
            secure_links: None,
            project_id: Uuid::from_u128(0x5f1e_0a57_7c6b_4d0e_9a52_1f00_fa4e_0001),
            token: "PTfake0token0of0the0fake0space".to_owned(),
            api_port: 0,
            media_port: 0,
            seed: 1,
            journal_cap: 100_000,
        }
    }
}
