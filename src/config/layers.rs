//! Brings the file's text and the environment variables into one form, for figment.

use std::path::Path;
use std::{fs, io};

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

/// The variable that names the file if the command line does not.
pub(super) const PATH_VARIABLE: &str = "ROOM_ARCHIVER_CONFIG";

/// One source of settings: the file, or one variable.
pub(super) struct Layer {
    /// The file's path, or `environment variable NAME`.
    pub(super) place: String,
    /// Its settings.
    pub(super) dict: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.place.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.dict.clone()))
    }
}

/// The file's settings, or why the file can't be read.
pub(super) fn read_table(file: &Path) -> Result<toml::Table, String> {
    let text = fs::read_to_string(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!(
            "there is no such file; create it (the sample config.toml explains every key), or name another file with --config or {PATH_VARIABLE}"
        ),
        io::ErrorKind::PermissionDenied => {
            "no permission to read the file; run as the service's user, or let that user read it".to_owned()
        }
        io::ErrorKind::InvalidData => "the file is not UTF-8 text".to_owned(),
        _ => format!("could not read the file: {error}"),
    })?;
    // Not toml's own Display: it prints the line, which may contain a token.
    text.parse::<toml::Table>().map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let before = text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        let message = error.message().replace('\n', ", ");
        format!("line {line}, column {column}: not valid TOML: {message}")
    })
}

/// TOML's values in figment's form; a bare date becomes its text.
pub(super) fn plain(table: toml::Table) -> Dict {
    fn value(from: toml::Value) -> Value {
        match from {
            toml::Value::String(text) => Value::from(text),
            toml::Value::Integer(number) => Value::from(number),
            toml::Value::Float(number) => Value::from(number),
            toml::Value::Boolean(yes) => Value::from(yes),
            toml::Value::Datetime(time) => Value::from(time.to_string()),
            toml::Value::Array(items) => {
                Value::from(items.into_iter().map(value).collect::<Vec<_>>())
            }
            toml::Value::Table(table) => Value::from(plain(table)),
        }
    }
    table.into_iter().map(|(k, v)| (k, value(v))).collect()
}

/// A variable's text in the type of its key's default; else as text, which is then refused with the key's name.
pub(super) fn typed(text: &str, default: Option<&Value>) -> Value {
    let read = match default {
        Some(Value::Num(..)) => text.trim().parse::<i64>().ok().map(Value::from),
        Some(Value::Bool(..)) => text.trim().parse::<bool>().ok().map(Value::from),
        Some(Value::Array(..)) => Some(list(text)),
        _ => None,
    };
    read.unwrap_or_else(|| Value::from(text))
}

/// `["a", "b"]`, or the simple form `a, b`.
fn list(text: &str) -> Value {
    let written = format!("list = {text}").parse::<toml::Table>();
    match written
        .map(plain)
        .ok()
        .and_then(|mut dict| dict.remove("list"))
    {
        Some(list @ Value::Array(..)) => list,
        _ => text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .collect::<Vec<_>>()
            .into(),
    }
}
