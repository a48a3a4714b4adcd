//! The environment as a value, so that tests need not change the environment of the process.

use std::collections::BTreeMap;

/// The variables that most tools for object stores read.
pub(super) const STORE_KEYS: [&str; 3] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// The variables that concern the configuration. No Debug: it may contain the token.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's variables that matter here: `ROOM_ARCHIVER…`, `CREDENTIALS_DIRECTORY`, and the usual names for
    /// the credentials of an object store.
    #[must_use]
    pub fn process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| {
                let name = name.into_string().ok()?;
                let ours = name.starts_with("ROOM_ARCHIVER")
                    || name == "CREDENTIALS_DIRECTORY"
                    || STORE_KEYS.contains(&name.as_str());
                ours.then(|| (name, value.to_string_lossy().into_owned()))
            })
            .collect()
    }

    /// A variable's value; an empty one counts as not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    /// All variables, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(k, v)| (k.into(), v.into()))
                .collect(),
        )
    }
}
