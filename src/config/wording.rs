//! What is said of a key that is not known, or of a value that does not fit. Never the value.

use figment::error::{Actual, Kind};

pub(super) const TOKEN_HINT: &str = "the token never belongs here: use the systemd credential signalwire_api_token, a file named by signalwire.api_token_file, or the variable ROOM_ARCHIVER_API_TOKEN; if this was a real token, replace it";

/// Whether a key's name says that its value is a secret.
pub(super) fn is_secret(name: &str) -> bool {
    const SECRETS: [&str; 10] = [
        "token",
        "api_token",
        "api_key",
        "password",
        "secret",
        "auth_token",
        "access_key",
        "access_key_id",
        "secret_key",
        "secret_access_key",
    ];
    let name = name.strip_prefix("aws_").unwrap_or(name);
    SECRETS.contains(&name)
}

/// The known name that a wrong one was probably meant to be.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> Option<&'a str> {
    known
        .map(|known| (strsim::damerau_levenshtein(name, known), known.as_str()))
        .min()
        .filter(|(distance, known)| *distance <= known.len().div_ceil(3))
        .map(|(_, known)| known)
}

/// The problem with a value, without the value.
pub(super) fn describe(kind: &Kind) -> String {
    match kind {
        Kind::Message(text) => text.clone(),
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            let expected = match expected.as_str() {
                "a duration" | "duration" => {
                    "a duration as text, such as \"30s\", \"15m\" or \"24h\""
                }
                "a string" | "string" => "text in quotes",
                "a boolean" | "bool" => "true or false",
                "a sequence" => "a list, such as [\"one\", \"two\"]",
                "u32" | "u64" | "usize" => "a whole number",
                other => other,
            };
            match found {
                Actual::Str(_) => format!("expected {expected}, found other text"),
                Actual::Bool(_) => format!("expected {expected}, found true or false"),
                Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => {
                    format!("expected {expected}, found a number")
                }
                Actual::Seq => format!("expected {expected}, found a list"),
                Actual::Map => format!("expected {expected}, found a table"),
                _ => format!("expected {expected}"),
            }
        }
        Kind::UnknownVariant(_, expected) => format!("expected one of {}", expected.join(", ")),
        Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => {
            "the number is out of range".to_owned()
        }
        _ => "not a valid value for this key".to_owned(),
    }
}
