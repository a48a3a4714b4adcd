//! The access key of an object store, which never reaches a log.

use secrecy::{ExposeSecret, SecretString};

/// An access key of an object store: id, secret, and the token of a temporary key.
#[derive(Debug, Clone)]
pub struct AccessKey {
    // No secret by itself, but nobody needs to see it.
    id: SecretString,
    secret: SecretString,
    token: Option<SecretString>,
}

impl AccessKey {
    /// Takes a key over; `None` if a value is empty or has characters that no key has.
    #[must_use]
    pub fn new(id: &str, secret: &str, token: Option<&str>) -> Option<Self> {
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        let good = plain(id) && plain(secret) && token.is_none_or(plain);
        good.then(|| Self {
            id: id.into(),
            secret: secret.into(),
            token: token.map(Into::into),
        })
    }

    /// Id, secret and token, for signing a request.
    #[must_use]
    pub fn expose(&self) -> (&str, &str, Option<&str>) {
        let token = self.token.as_ref().map(ExposeSecret::expose_secret);
        (self.id.expose_secret(), self.secret.expose_secret(), token)
    }
}
