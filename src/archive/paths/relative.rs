//! A path relative to the archive's directory that can't leave it.

use std::fmt;

/// The most bytes of one component, which is the limit of most file systems.
pub const MAX_COMPONENT: usize = 255;
/// The smallest limit for a component that is supported: a recording's id and an extension fit.
pub const MIN_COMPONENT: usize = 80;
/// The most bytes of a whole path.
pub const MAX_PATH: usize = 1024;
/// The most components of a path; it limits the directories that a walk holds open.
pub const MAX_COMPONENTS: usize = 32;

/// What the name of a sidecar ends in, behind that of its file.
pub const SIDECAR: &str = ".json";

/// A text that is not a safe path in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a clean relative path")]
pub struct BadPath;

/// A non-empty relative path of clean components: none is empty, `.`, `..` or longer than
/// [`MAX_COMPONENT`], and none contains a control character.
///
/// It may be the path of a file that others put into the archive. Paths of
/// [`Template::render`](super::Template::render) are stricter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelativePath(String);

impl RelativePath {
    /// Reads a path, as from the database or a walk.
    ///
    /// # Errors
    /// [`BadPath`], if it could leave the archive or can't be the path of a file.
    pub fn parse(path: &str) -> Result<Self, BadPath> {
        let clean = |component: &str| {
            !matches!(component, "" | "." | "..")
                && component.len() <= MAX_COMPONENT
                && !component.contains(char::is_control)
        };
        if path.len() > MAX_PATH
            || path.split('/').count() > MAX_COMPONENTS
            || !path.split('/').all(clean)
        {
            return Err(BadPath);
        }
        Ok(Self(path.to_owned()))
    }

    /// Takes a path that was put together from clean components.
    pub(super) fn from_clean(path: String) -> Self {
        debug_assert!(Self::parse(&path).is_ok(), "clean components");
        Self(path)
    }

    /// The path of its sidecar: the same with `.json` behind it.
    ///
    /// # Errors
    /// [`BadPath`], if that is too long.
    pub fn sidecar(&self) -> Result<Self, BadPath> {
        Self::parse(&format!("{}{SIDECAR}", self.0))
    }

    /// The file whose sidecar this is, by its name; `None`: it has not the name of one.
    #[must_use]
    pub fn beside(&self) -> Option<Self> {
        let path = self.0.strip_suffix(SIDECAR)?;
        Self::parse(path).ok()
    }

    /// The path, `/`-separated.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its components, outermost first.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The last component.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The components before the last.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        let end = self.0.len() - self.file_name().len();
        self.0[..end].split_terminator('/')
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
