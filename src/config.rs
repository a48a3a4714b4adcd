//! The settings: one TOML file, whose keys environment variables can override, and the API token.
//! Everything is checked when it is loaded, and all problems are reported at once.

mod environment;
mod errors;
mod layers;
mod load;
mod sections;
mod token;
mod validate;
mod values;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use environment::Environment;
pub use errors::{ConfigErrors, Problem};
pub use load::{DEFAULT_PATH, Loaded};
pub use sections::{Archive, Database, Download, Filter, Log, Poll, SignalWire, Telemetry, Verify};
pub use token::{FoundToken, TokenError, TokenSource};
pub use values::{FileMode, Globs, LogFormat, LogLevel, Order, Since, Size};

/// The whole configuration, checked.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Config {
    /// The account and how to talk to its API.
    pub signalwire: SignalWire,
    /// When to look for sessions and recordings.
    pub poll: Poll,
    /// Which recordings to keep.
    pub filter: Filter,
    /// How to download.
    pub download: Download,
    /// Where the files go.
    pub archive: Archive,
    /// Where the database is.
    pub database: Database,
    /// The scheduled verification of archived files.
    pub verify: Verify,
    /// Level and format of the log.
    pub log: Log,
    /// Metrics and health over HTTP.
    pub telemetry: Telemetry,
}

impl Config {
    /// Reads the file at `path` (else `ROOM_ARCHIVER_CONFIG`, else [`DEFAULT_PATH`]) and the overrides in `env`.
    ///
    /// # Errors
    ///
    /// Every problem found, each with its file or variable and its key.
    pub fn load(path: Option<&Path>, env: &Environment) -> Result<Self, ConfigErrors> {
        Loaded::read(path, env).map(|loaded| loaded.config)
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
