//! The problems of a configuration: all at once, each with its place and what to do.

use std::fmt;

use crate::escape;

/// One mistake in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's path, or `environment variable NAME`.
    pub place: String,
    /// `section.key`; `None`: the problem concerns the whole file or variable.
    pub key: Option<String>,
    /// The problem and what to do about it.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", escape::line(&self.place))?;
        if let Some(key) = &self.key {
            write!(f, "{}: ", escape::line(key))?;
        }
        f.write_str(&escape::line(&self.text))
    }
}

/// All mistakes in a configuration; never empty.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<Problem>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "the configuration is not valid: {one}"),
            many => {
                write!(f, "the configuration has {} problems:", many.len())?;
                many.iter().try_for_each(|one| write!(f, "\n  {one}"))
            }
        }
    }
}
