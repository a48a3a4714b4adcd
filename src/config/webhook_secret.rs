//! Finds the secrets of a webhook. They are not read as settings, because errors of figment and toml print values.

use std::io;
use std::path::{Path, PathBuf};

use super::Environment;
use super::sections::Config;
use super::token::read;
use crate::model::WebhookSecret;

/// A webhook signs with two secrets while its receiver changes from one to the other.
const MOST: usize = 2;

/// Why a webhook has no secret to sign with.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub enum WebhookSecretError {
    /// No source has one.
    #[error(
        "webhooks.{name}: no secret is set; put it into the systemd credential webhook_{name}, or a file named by webhooks.{name}.secret_file"
    )]
    NotSet { name: String },
    /// The credential exists or the file was configured, but can't be read.
    #[error("webhooks.{name}: could not read the secret from '{path}'")]
    Unreadable {
        name: String,
        path: PathBuf,
        source: io::Error,
    },
    /// The text can't be a secret.
    #[error("webhooks.{name}: '{path}' does not hold one or two secrets, a line each: {reason}")]
    Unusable {
        name: String,
        path: PathBuf,
        reason: &'static str,
    },
}

/// The secrets of a webhook.
#[derive(Clone, Debug)]
pub struct FoundSecrets {
    /// The newest is any of them: all sign.
    pub secrets: Vec<WebhookSecret>,
    /// Where they were found.
    pub path: PathBuf,
    /// Every user of the machine can read the file; the caller warns about it.
    pub world_readable: bool,
}

impl Config {
    /// The secrets of the webhook `name`: the systemd credential `webhook_NAME`, else the file
    /// `webhooks.NAME.secret_file`.
    ///
    /// # Errors
    ///
    /// Neither is there, or the first one that is can't be read or holds no usable secret.
    pub fn webhook_secrets(
        &self,
        name: &str,
        env: &Environment,
    ) -> Result<FoundSecrets, WebhookSecretError> {
        if let Some(directory) = env.get("CREDENTIALS_DIRECTORY") {
            let path = Path::new(directory).join(format!("webhook_{name}"));
            match read(&path) {
                // A service can have other credentials than this one.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                read => return parse(name, path, read),
            }
        }
        let configured = self.webhooks.get(name);
        let Some(path) = configured.and_then(|webhook| webhook.secret_file.clone()) else {
            let name = name.to_owned();
            return Err(WebhookSecretError::NotSet { name });
        };
        let read = read(&path);
        parse(name, path, read)
    }
}

fn parse(
    name: &str,
    path: PathBuf,
    read: io::Result<(Vec<u8>, bool)>,
) -> Result<FoundSecrets, WebhookSecretError> {
    let name = name.to_owned();
    let (bytes, world_readable) = match read {
        Ok(read) => read,
        Err(source) => return Err(WebhookSecretError::Unreadable { name, path, source }),
    };
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let secrets: Result<Vec<_>, _> = lines.map(WebhookSecret::parse).collect();
    let reason = match secrets {
        Ok(secrets) if (1..=MOST).contains(&secrets.len()) => {
            return Ok(FoundSecrets {
                secrets,
                path,
                world_readable,
            });
        }
        Ok(none) if none.is_empty() => "it is empty",
        Ok(_) => "it has more lines",
        Err(reason) => reason,
    };
    Err(WebhookSecretError::Unusable { name, path, reason })
}
