//! The secrets that webhooks are signed with.

use std::fmt;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret, SecretSlice};

const PREFIX: &str = "whsec_";
/// As the specification has it.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;
/// Other programs leave the padding out.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The secret of a webhook (Standard Webhooks, `whsec_…`). Its Debug output hides it.
#[derive(Clone)]
pub struct WebhookSecret(SecretSlice<u8>);

impl WebhookSecret {
    /// Reads a secret from its text.
    ///
    /// # Errors
    /// What is wrong with it; never the text itself.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let encoded = text
            .strip_prefix(PREFIX)
            .ok_or("a secret begins with \"whsec_\"")?;
        let bytes = LENIENT
            .decode(encoded)
            .map_err(|_| "what follows \"whsec_\" is not Base64")?;
        if !LENGTHS.contains(&bytes.len()) {
            return Err(
                "a secret must have 24 to 64 bytes; make one with: echo \"whsec_$(openssl rand -base64 32)\"",
            );
        }
        Ok(Self(bytes.into()))
    }

    /// The key, for signatures and nothing else.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_a_prefix_and_24_to_64_bytes() {
        let text = |bytes: usize| format!("whsec_{}", LENIENT.encode(vec![7; bytes]));
        for bytes in [24, 25, 32, 64] {
            let secret = WebhookSecret::parse(&text(bytes)).expect("a secret");
            assert_eq!(secret.expose(), vec![7; bytes]);
            let unpadded = text(bytes).trim_end_matches('=').to_owned();
            assert_eq!(
                WebhookSecret::parse(&unpadded).expect("it").expose(),
                secret.expose()
            );
            assert!(!format!("{secret:?}").contains('7'));
        }
        for wrong in [
            text(23),
            text(65),
            text(32).replace("whsec_", ""),
            "whsec_%".to_owned(),
        ] {
            let error = WebhookSecret::parse(&wrong).expect_err(&wrong);
            assert!(!error.contains(&wrong));
        }
    }
}
