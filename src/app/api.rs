//! The client of the configured space, and its token.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::tls::{NO_TLS, authorities, tls};
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::cooldown::Cooldowns;
use crate::model::ApiToken;
use crate::signalwire::{self, Client};

/// Scheme, host and port of the configured API.
///
/// # Errors
/// If none is configured.
pub fn origin(config: &Config) -> Result<String> {
    let url = config.signalwire.origin();
    let url = url.map_err(|(key, text)| anyhow::anyhow!("{key}: {text}"))?;
    Ok(url.origin().ascii_serialization())
}

/// A client of the configured space, outside a running instance.
///
/// # Errors
/// Certificates that can't be used.
pub fn client(
    config: &Config,
    token: ApiToken,
    clock: Clock,
    cooldowns: Cooldowns,
) -> Result<Arc<Client>> {
    client_counting(config, token, clock, cooldowns, Arc::default())
}

/// The same, which counts its requests.
pub(super) fn client_counting(
    config: &Config,
    token: ApiToken,
    clock: Clock,
    cooldowns: Cooldowns,
    requests: Arc<AtomicU64>,
) -> Result<Arc<Client>> {
    let signalwire = &config.signalwire;
    let base = signalwire
        .origin()
        .map_err(|(key, text)| anyhow::anyhow!("{key}: {text}"))?;
    let options = signalwire::Options {
        base,
        project_id: signalwire.project_id.clone(),
        token,
        page_size: signalwire.page_size,
        media_ttl: signalwire.media_ttl,
        connect_timeout: signalwire.connect_timeout,
        request_timeout: signalwire.request_timeout,
        retry_delay: config.download.retry_initial.min(Duration::from_secs(1)),
        ca: authorities(config)?,
        requests,
    };
    tls();
    Ok(Arc::new(
        Client::new(options, clock, cooldowns).context(NO_TLS)?,
    ))
}

/// The token, and a word of warning if its file can be read by everybody.
pub fn token(config: &Config, env: &Environment) -> Result<ApiToken> {
    let found = config.token(env)?;
    if found.world_readable {
        tracing::warn!(
            "the file of the API token can be read by every user of this machine: chmod 0600 it"
        );
    }
    Ok(found.token)
}
