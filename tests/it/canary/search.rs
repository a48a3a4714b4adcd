//! Looks for secrets in every form they could have been written down in.

use std::fmt::Write as _;
use std::path::Path;

use fake_space::Space;

use super::{CREDENTIAL, SESSION_TOKEN, SIGNATURE, TOKEN};

/// What must be found nowhere, in each form it could have.
pub struct Canaries(Vec<String>);

impl Canaries {
    pub fn of(space: &Space) -> Self {
        let mut secrets = vec![
            TOKEN.to_owned(),
            SIGNATURE.to_owned(),
            SESSION_TOKEN.to_owned(),
        ];
        secrets.extend([CREDENTIAL, "X-Amz-", "page_token="].map(str::to_owned));
        let journal = space.journal();
        secrets.extend(
            journal
                .iter()
                .filter_map(|seen| seen.param("page_token").map(str::to_owned)),
        );
        let mut forms: Vec<_> = secrets.iter().flat_map(|secret| forms(secret)).collect();
        let credentials = format!("{}:{TOKEN}", space.project_id());
        forms.extend(journal.iter().filter_map(|seen| {
            let basic = seen.authorization.as_deref()?.strip_prefix("Basic ")?;
            Some(basic.to_lowercase())
        }));
        forms.push(base64(credentials.as_bytes()).to_lowercase());
        forms.sort();
        forms.dedup();
        Self(forms)
    }

    /// These alone.
    pub fn of_secrets(secrets: &[String]) -> Self {
        Self(secrets.iter().flat_map(|secret| forms(secret)).collect())
    }

    /// The first that some bytes hold, in whatever case.
    pub fn found_in(&self, bytes: &[u8]) -> Option<&str> {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        let found = self.0.iter().find(|canary| text.contains(canary.as_str()));
        found.map(String::as_str)
    }

    pub fn must_not_be_in(&self, what: &str, bytes: &[u8]) {
        if let Some(canary) = self.found_in(bytes) {
            panic!("{canary} is in {what}: {}", String::from_utf8_lossy(bytes));
        }
    }

    /// Every file in a directory, hidden ones too.
    pub fn must_not_be_beneath(&self, directory: &Path) -> usize {
        let mut files = 0;
        for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
            let path = entry.path();
            self.must_not_be_in("a name", path.as_os_str().as_encoded_bytes());
            if path.is_dir() {
                files += self.must_not_be_beneath(&path);
            } else if path.is_file() {
                files += 1;
                self.must_not_be_in(
                    &path.display().to_string(),
                    &std::fs::read(&path).expect("a file"),
                );
            }
        }
        files
    }
}

/// As it is, percent-encoded, in hexadecimal, and in base64 at each place within three bytes.
fn forms(secret: &str) -> Vec<String> {
    let encoded = |unreserved: &dyn Fn(u8) -> bool| {
        secret.bytes().fold(String::new(), |mut text, byte| {
            _ = if unreserved(byte) {
                write!(text, "{}", char::from(byte))
            } else {
                write!(text, "%{byte:02x}")
            };
            text
        })
    };
    let hex = secret.bytes().fold(String::new(), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    });
    let mut forms = vec![
        secret.to_owned(),
        encoded(&|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
        hex,
    ];
    for before in 0..3 {
        let padded = [&vec![0; before], secret.as_bytes()].concat();
        let whole = base64(&padded[..padded.len() / 3 * 3]);
        // Of the first group only what is the secret's alone.
        forms.push(whole[if before == 0 { 0 } else { 4 }..].to_owned());
    }
    forms.iter().map(|form| form.to_lowercase()).collect()
}

pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | usize::from(*group.get(at).unwrap_or(&0))
        });
        for digit in 0..4 {
            let known = digit <= group.len();
            text.push(if known {
                char::from(DIGITS[bits >> (18 - 6 * digit) & 63])
            } else {
                '='
            });
        }
    }
    text
}
