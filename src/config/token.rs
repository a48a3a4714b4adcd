//! Finds the API token. It is not read as a setting, because errors of figment and toml print values.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Environment;
use super::sections::Config;
use crate::model::ApiToken;

const CREDENTIAL: &str = "signalwire_api_token";
const VARIABLE: &str = "ROOM_ARCHIVER_API_TOKEN";
/// Real tokens have about fifty characters; a longer file is not a token.
const MAX_BYTES: u64 = 4096;

/// Where the token came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// The systemd credential, at this path.
    Credential(PathBuf),
    /// The file that `signalwire.api_token_file` names.
    File(PathBuf),
    /// The environment variable `ROOM_ARCHIVER_API_TOKEN`.
    Variable,
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential(path) => write!(f, "the systemd credential '{}'", path.display()),
            Self::File(path) => write!(f, "the file '{}'", path.display()),
            Self::Variable => write!(f, "the environment variable {VARIABLE}"),
        }
    }
}

/// The token and its source.
#[derive(Clone, Debug)]
pub struct FoundToken {
    /// The token, without white space around it.
    pub token: ApiToken,
    /// Where it was found.
    pub source: TokenSource,
    /// Every user of the machine can read the file; the caller warns about it.
    pub world_readable: bool,
}

/// Why there is no token to use.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// No source has a token.
    #[error(
        "no API token is set; put it into the systemd credential signalwire_api_token, a file named by signalwire.api_token_file, or the environment variable ROOM_ARCHIVER_API_TOKEN"
    )]
    NotSet,
    /// The credential exists or the file was configured, but can't be read.
    #[error("could not read the API token from {from}")]
    Unreadable {
        /// The credential or the file.
        from: TokenSource,
        /// Why it can't be read.
        #[source]
        source: io::Error,
    },
    /// The text can't be a token.
    #[error("{from} does not contain an API token: {reason}")]
    Unusable {
        /// Where the text was found.
        from: TokenSource,
        /// What is wrong with the text; never the text itself.
        reason: &'static str,
    },
}

impl Config {
    /// The API token: the systemd credential `signalwire_api_token`, else the file
    /// `signalwire.api_token_file`, else the variable `ROOM_ARCHIVER_API_TOKEN`.
    ///
    /// # Errors
    ///
    /// No source has a token, or the first one that is set can't be read or contains no usable token.
    pub fn token(&self, env: &Environment) -> Result<FoundToken, TokenError> {
        if let Some(directory) = env.get("CREDENTIALS_DIRECTORY") {
            let path = Path::new(directory).join(CREDENTIAL);
            match read(&path) {
                // A service can have other credentials than this one.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                read => return from_file(TokenSource::Credential(path), read),
            }
        }
        if let Some(path) = &self.signalwire.api_token_file {
            return from_file(TokenSource::File(path.clone()), read(path));
        }
        let text = env.get(VARIABLE).ok_or(TokenError::NotSet)?;
        checked(TokenSource::Variable, text, false)
    }
}

pub(super) fn read(path: &Path) -> io::Result<(Vec<u8>, bool)> {
    let file = File::open(path)?;
    let world_readable = file.metadata()?.permissions().mode() & 0o004 != 0;
    let mut text = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    Ok((text, world_readable))
}

fn from_file(
    from: TokenSource,
    read: io::Result<(Vec<u8>, bool)>,
) -> Result<FoundToken, TokenError> {
    match read {
        Ok((bytes, world_readable)) => {
            checked(from, &String::from_utf8_lossy(&bytes), world_readable)
        }
        Err(source) => Err(TokenError::Unreadable { from, source }),
    }
}

fn checked(
    source: TokenSource,
    text: &str,
    world_readable: bool,
) -> Result<FoundToken, TokenError> {
    let trimmed = text.trim();
    let reason = if trimmed.is_empty() {
        "it is empty"
    } else if trimmed.contains(['\n', '\r']) {
        "it has more than one line"
    } else if text.len() as u64 > MAX_BYTES {
        "it is too long for a token"
    } else if !trimmed.bytes().all(|b| b.is_ascii_graphic()) {
        "it contains spaces or characters that no token has"
    } else {
        return Ok(FoundToken {
            token: ApiToken::new(trimmed),
            source,
            world_readable,
        });
    };
    Err(TokenError::Unusable {
        from: source,
        reason,
    })
}
