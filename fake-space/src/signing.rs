//! Pre-signed links with AWS Signature Version 4: in query parameters, only `host` signed, GET only.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::hex::hex;
use crate::http::{Request, encode};
use crate::lock::locked;
use crate::options::SecureLinks;

/// The access key of a link is this and the generation of the link.
const ACCESS_KEY: &str = "AKIAFAKESPACE";
const SECRET: &str = "not a secret, the space is a fake";
const REGION: &str = "us-east-2";
/// The longest lifetime that `SigV4` allows, in seconds.
pub(crate) const LONGEST_LIFE: u64 = 604_800;

/// A link that nginx's `secure_link` module accepts for `seconds` from `now` on.
pub(crate) fn secure_link(
    to: &SecureLinks,
    file: &str,
    now: DateTime<Utc>,
    seconds: u64,
) -> String {
    let SecureLinks { base, secret } = to;
    let expires = now.timestamp().saturating_add_unsigned(seconds);
    let path = base
        .split("://")
        .nth(1)
        .and_then(|rest| rest.find('/').map(|at| &rest[at..]));
    let path = path.unwrap_or_default();
    let digest = Md5::digest(format!("{expires}{path}/{file} {secret}"));
    let digest = BASE64_URL_SAFE_NO_PAD.encode(digest);
    format!("{base}/{file}?md5={digest}&expires={expires}")
}

/// Why a link is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No signature at all.
    Unsigned,
    /// A parameter is missing or invalid.
    Malformed,
    Expired,
    Mismatch,
}

/// Signs links for one media host.
#[derive(Debug)]
pub(crate) struct Signer {
    host: String,
    marker: String,
    /// The signing key of one day, cached because a page of a thousand links needs it a thousand times.
    key: Mutex<(String, [u8; 32])>,
    /// Links of an earlier generation are refused.
    generation: AtomicU32,
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length is valid");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

impl Signer {
    /// Every signature begins with `marker`.
    pub(crate) fn new(host: String, marker: Option<String>) -> Self {
        Self {
            host,
            marker: marker.unwrap_or_default(),
            key: Mutex::default(),
            generation: AtomicU32::new(0),
        }
    }

    /// Revokes every link signed so far.
    pub(crate) fn revoke(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    fn access_key(&self) -> String {
        format!("{ACCESS_KEY}{:07}", self.generation.load(Ordering::Relaxed))
    }

    fn key(&self, day: &str) -> [u8; 32] {
        locked(&self.key, |(cached_day, key)| {
            if cached_day != day {
                let of_day = hmac(format!("AWS4{SECRET}").as_bytes(), day);
                let parts = [REGION, "s3", "aws4_request"];
                *key = parts.iter().fold(of_day, |key, part| hmac(&key, part));
                day.clone_into(cached_day);
            }
            *key
        })
    }

    fn signature(&self, path: &str, canonical_query: &str, host: &str, date: &str) -> String {
        let day = date.get(..8).unwrap_or_default();
        let canonical =
            format!("GET\n{path}\n{canonical_query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
        let digest = hex(&Sha256::digest(canonical.as_bytes()));
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{day}/{REGION}/s3/aws4_request\n{digest}");
        hex(&hmac(&self.key(day), &text))
    }

    /// A link to `path` (which must need no encoding) that is valid for `seconds` from `now` on.
    pub(crate) fn sign(
        &self,
        path: &str,
        file_name: &str,
        content_type: &str,
        now: DateTime<Utc>,
        seconds: u64,
    ) -> String {
        let date = now.format("%Y%m%dT%H%M%SZ").to_string();
        let scope = format!(
            "{}/{}/{REGION}/s3/aws4_request",
            self.access_key(),
            &date[..8]
        );
        let disposition = encode(&format!("attachment; filename=\"{file_name}\""));
        // The signature is over the sorted parameters, and capitals sort first.
        let signed = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={date}&\
             X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host",
            encode(&scope)
        );
        let response = format!(
            "response-content-disposition={disposition}&response-content-type={}",
            encode(content_type)
        );
        let signature = self.signature(path, &format!("{signed}&{response}"), &self.host, &date);
        format!(
            "http://{}{path}?{response}&{signed}&X-Amz-Signature={}{signature}",
            self.host, self.marker
        )
    }

    /// Checks a link's parameters, lifetime and signature, as S3 does when a request starts.
    /// No link is valid for longer than `longest` seconds.
    pub(crate) fn check(
        &self,
        request: &Request,
        host: &str,
        now: DateTime<Utc>,
        longest: Option<u64>,
    ) -> Result<(), Refusal> {
        let given = request.param("X-Amz-Signature").ok_or(Refusal::Unsigned)?;
        let date = request.param("X-Amz-Date").ok_or(Refusal::Malformed)?;
        let signed_at = NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ")
            .map_err(|_| Refusal::Malformed)?
            .and_utc();
        let seconds = request
            .param("X-Amz-Expires")
            .and_then(|text| text.parse::<u64>().ok())
            .filter(|seconds| *seconds <= LONGEST_LIFE)
            .ok_or(Refusal::Malformed)?;
        let credential = request
            .param("X-Amz-Credential")
            .ok_or(Refusal::Malformed)?;
        let revoked = !credential.starts_with(&self.access_key());
        let life = longest.map_or(seconds, |longest| longest.min(seconds));
        if revoked || now > signed_at + TimeDelta::seconds(life.cast_signed()) {
            return Err(Refusal::Expired);
        }
        let mut pairs: Vec<&str> = request
            .raw_query
            .split('&')
            .filter(|pair| !pair.starts_with("X-Amz-Signature="))
            .collect();
        pairs.sort_unstable();
        let signature = self.signature(&request.path, &pairs.join("&"), host, date);
        let right = request.method == "GET" && given.strip_prefix(&self.marker) == Some(&signature);
        right.then_some(()).ok_or(Refusal::Mismatch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secure_link_is_that_of_nginxs_documentation() {
        let to = SecureLinks {
            base: "https://host/s".to_owned(),
            secret: "secret".to_owned(),
        };
        let link = secure_link(&to, "link127.0.0.1", DateTime::UNIX_EPOCH, 2_147_483_647);
        assert_eq!(
            link,
            "https://host/s/link127.0.0.1?md5=_e4Nc3iduzkWRm01TBBNYw&expires=2147483647"
        );
    }
}
