//! The signature of an event.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::model::WebhookSecret;

/// The header `webhook-signature`: what each secret makes of id, time and body.
pub(super) fn sign(secrets: &[WebhookSecret], id: &str, timestamp: i64, body: &str) -> String {
    let content = format!("{id}.{timestamp}.{body}");
    let signatures = secrets.iter().map(|secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        let signature = hmac::sign(&key, content.as_bytes());
        format!("v1,{}", STANDARD.encode(signature))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the specification's own libraries.
        let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("it");
        let body = r#"{"test": 2432232314}"#;
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let one = std::slice::from_ref(&secret);
        assert_eq!(sign(one, id, 1_614_265_330, body), expected);
        let other = WebhookSecret::parse(&format!("whsec_{}", STANDARD.encode([1; 64])));
        let both = sign(&[secret, other.expect("it")], id, 1_614_265_330, body);
        let (first, second) = both.split_once(' ').expect("two signatures");
        assert_eq!(first, expected);
        assert!(second.starts_with("v1,") && second != expected);
    }
}
