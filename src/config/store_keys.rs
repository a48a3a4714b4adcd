//! Finds the access key of an object store. It is not read as a setting, because errors of figment and toml print
//! values.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::environment::{Environment, STORE_KEYS};
use super::sections::Config;
use crate::model::AccessKey;

const KEY: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";
const TOKEN: &str = "aws_session_token";
const MAX_BYTES: u64 = 16 << 10;

/// Why there is no access key to use. The texts never contain what was found.
#[derive(Debug, thiserror::Error)]
pub enum StoreKeysError {
    /// No source has one.
    #[error(
        "no access key is set for copies.{0}; put it into the systemd credential copies_{0}, a file named by copies.{0}.credentials_file, or the environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    NotSet(String),
    /// The credential exists or the file was configured, but can't be read.
    #[error("could not read the access key of copies.{name} from '{}'", path.display())]
    Unreadable {
        /// The target.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why it can't be read.
        #[source]
        source: io::Error,
    },
    /// The text is no access key.
    #[error("'{}' does not contain an access key for copies.{name}: {reason}", path.display())]
    Unusable {
        /// The target.
        name: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl Config {
    /// The access key of the target `name`: the systemd credential `copies_NAME`, else the file
    /// `copies.NAME.credentials_file`, else the usual environment variables.
    ///
    /// # Errors
    ///
    /// No source has one, or the first that is set can't be read or has none.
    pub fn store_keys(&self, name: &str, env: &Environment) -> Result<AccessKey, StoreKeysError> {
        if let Some(directory) = env.get("CREDENTIALS_DIRECTORY") {
            let path = Path::new(directory).join(format!("copies_{name}"));
            match read(&path) {
                // A service can have other credentials than this one.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                read => return from_file(name, &path, read),
            }
        }
        let target = self.copies.get(name);
        if let Some(path) = target.and_then(|target| target.credentials_file.as_ref()) {
            return from_file(name, path, read(path));
        }
        let [id, secret, token] = STORE_KEYS.map(|name| env.get(name));
        let not_set = || StoreKeysError::NotSet(name.to_owned());
        let (id, secret) = id.zip(secret).ok_or_else(not_set)?;
        AccessKey::new(id, secret, token).ok_or_else(not_set)
    }
}

/// The form of `~/.aws/credentials`; with several sections, the first key in it.
fn parse(text: &str) -> Result<AccessKey, &'static str> {
    let value = |wanted: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        lines
            .find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.trim())
    };
    let id = value(KEY).ok_or("it has no line \"aws_access_key_id = …\"")?;
    let secret = value(SECRET).ok_or("it has no line \"aws_secret_access_key = …\"")?;
    AccessKey::new(id, secret, value(TOKEN))
        .ok_or("a value is empty, or has spaces or characters that no key has")
}

fn from_file(
    name: &str,
    path: &Path,
    read: io::Result<String>,
) -> Result<AccessKey, StoreKeysError> {
    let (name, path) = (name.to_owned(), path.to_owned());
    match read {
        Ok(text) => parse(&text).map_err(|reason| StoreKeysError::Unusable { name, path, reason }),
        Err(source) => Err(StoreKeysError::Unreadable { name, path, source }),
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = Vec::new();
    File::open(path)?.take(MAX_BYTES).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
