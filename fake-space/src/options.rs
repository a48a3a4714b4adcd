//! How a space behaves, and the defaults.

use std::time::Duration;

use uuid::Uuid;

/// The order of the rows of a list; SignalWire documents none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By `created_at`, the latest first.
    NewestFirst,
    /// By `created_at`, the earliest first.
    OldestFirst,
    /// In an order that follows from this seed; the same on every page.
    Shuffled(u64),
}

/// The form of the links between pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextLinks {
    /// With scheme and host.
    Absolute,
    /// Path and query only.
    Relative,
}

/// Links to a web server instead of the space's own media origin, in the form that nginx's `secure_link`
/// module checks with `secure_link_md5 "$secure_link_expires$uri SECRET"`; for benchmarks.
#[derive(Debug, Clone)]
pub struct SecureLinks {
    /// The URL of the directory that [`crate::State::export`] filled.
    pub base: String,
    /// The `SECRET` of nginx's configuration.
    pub secret: String,
}

/// The body of a 422.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorFormat {
    /// A list of errors, as documented.
    Listed,
    /// The error itself, as older documentation has it.
    Bare,
    /// A general message that names no parameter.
    Unnamed,
}

/// How a space behaves. Everything but the ports, the marker, the seed and the journal's size can be
/// changed while it runs ([`crate::State::configure`]).
#[derive(Debug, Clone)]
pub struct Options {
    /// Longer pages are cut to this many rows.
    pub page_size_cap: u64,
    /// A larger `page_size` is refused with a 422.
    pub page_size_max: u64,
    /// A longer `media_ttl`, in seconds, is refused with a 422.
    pub media_ttl_max: u64,
    /// The body of a 422.
    pub error_format: ErrorFormat,
    /// The order of the rows in lists.
    pub order: Order,
    /// The form of the links between pages.
    pub next_links: NextLinks,
    /// Whether the links between pages repeat the `media_ttl` of the request.
    pub next_keeps_media_ttl: bool,
    /// Lifetime of a media link when the request has no `media_ttl`.
    pub link_ttl_default: Duration,
    /// Media links expire after this time, even if they promise a longer one.
    pub real_link_life: Option<Duration>,
    /// Part of the signature of every link, for tests that search for leaks. Letters and digits.
    pub signature_marker: Option<String>,
    /// Media links lead to this web server.
    pub secure_links: Option<SecureLinks>,
    /// The user of Basic authentication.
    pub project_id: Uuid,
    /// The API token: the password of Basic authentication.
    pub token: String,
    /// Port of the API; 0: any free one.
    pub api_port: u16,
    /// Port of the media store; 0: any free one.
    pub media_port: u16,
    /// The same seed gives the same ids.
    pub seed: u64,
    /// How many requests the journal holds; older ones are dropped.
    pub journal_cap: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            page_size_cap: 1000,
            page_size_max: 1000,
            media_ttl_max: u64::MAX,
            error_format: ErrorFormat::Listed,
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
