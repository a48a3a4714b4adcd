//! What every TLS connection needs: one provider for the process, and the authorities to trust.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::config::Config;

/// The context of an error of the TLS library.
pub(super) const NO_TLS: &str = "could not set up TLS (are the certificates of the system there? Debian: apt-get install ca-certificates)";

/// The one TLS provider of this process.
pub(super) fn tls() {
    // The first call sets it; later ones find it set.
    _ = rustls::crypto::ring::default_provider().install_default();
}

/// The private authorities to trust.
pub(super) fn authorities(config: &Config) -> Result<Vec<reqwest::Certificate>> {
    let Some(path) = &config.signalwire.ca_file else {
        return Ok(Vec::new());
    };
    read_authorities(path)
        .with_context(|| format!("could not use signalwire.ca_file '{}'", path.display()))
}

fn read_authorities(path: &Path) -> Result<Vec<reqwest::Certificate>> {
    Ok(reqwest::Certificate::from_pem_bundle(&std::fs::read(
        path,
    )?)?)
}
