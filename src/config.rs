//! The settings: one TOML file, whose keys environment variables can override, and the API token.
//! Everything is checked when it is loaded, and all problems are reported at once.

mod copies;
mod environment;
mod errors;
mod layers;
mod load;
mod named;
mod sections;
mod store_keys;
mod token;
mod validate;
mod values;
mod webhook_secret;
mod webhooks;
mod wording;

pub use copies::CopyTarget;
pub use environment::Environment;
pub use errors::{ConfigErrors, Problem};
pub use load::{DEFAULT_PATH, Loaded};
pub use sections::{
    Archive, Config, Database, Download, Filter, Log, Poll, SignalWire, Telemetry, Verify,
};
pub use store_keys::StoreKeysError;
pub use token::{FoundToken, TokenError, TokenSource};
pub use values::{FileMode, Globs, KeepLocal, Listen, LogFormat, LogLevel, Order, Since, Size};
pub use webhook_secret::{FoundSecrets, WebhookSecretError};
pub use webhooks::{Webhook, WebhookUrl};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
