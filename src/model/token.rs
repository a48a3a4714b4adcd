//! The API token: only in memory, and hidden in Debug output.

use secrecy::{ExposeSecret, SecretString};

/// The API token of a SignalWire project. Its Debug output hides it.
#[derive(Clone, Debug)]
pub struct ApiToken(SecretString);

impl ApiToken {
    /// Takes a token as read from its source; surrounding white space, such as a file's last line end, is cut off.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text.trim()))
    }

    /// The token itself, for the Authorization header, and for hiding it in texts.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}
