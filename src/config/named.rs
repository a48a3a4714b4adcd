//! Sections of sections: `[copies.NAME]`, `[webhooks.NAME]`, any number of them, whose names the operator chooses.

use figment::value::{Dict, Value};

use super::copies::CopyTarget;
use super::webhooks::Webhook;

/// For a key of a section whose name says that it is a secret.
pub(super) fn secret_hint(section: &str) -> &'static str {
    match section {
        "webhooks" => {
            "a secret never belongs here: use the systemd credential webhook_NAME, or a file named by webhooks.NAME.secret_file; if this was a real one, replace it"
        }
        _ => {
            "access keys never belong here: use the systemd credential copies_NAME, a file named by copies.NAME.credentials_file, or the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; if this was a real one, replace it"
        }
    }
}

/// The defaults of one named section, if `section` is made of such.
pub(super) fn defaults(section: &str) -> Option<Dict> {
    let defaults = match section {
        "copies" => Value::serialize(CopyTarget::default()),
        "webhooks" => Value::serialize(Webhook::default()),
        _ => return None,
    };
    defaults.ok()?.into_dict()
}

/// What is wrong with the name of a section. It becomes part of the names of variables, credentials and metrics.
pub(super) fn problem(name: &str) -> Option<&'static str> {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let fits = (1..=32).contains(&name.len())
        && name.bytes().all(|b| letter(b) || b == b'-' || b == b'_')
        && name.bytes().next().is_some_and(letter)
        && !name.contains("__");
    (!fits).then_some(
        "the name must have 1 to 32 lower-case letters, digits, \"-\" or \"_\", and begin with a letter or digit",
    )
}
