//! A path beneath the archive's directory that can't leave it.

use std::fmt;

/// The most bytes of one component; the limit of the usual file systems.
pub const MAX_COMPONENT: usize = 255;
/// No file system for recordings allows less: a recording's id and what makes it a name fit.
pub const MIN_COMPONENT: usize = 80;
/// The most bytes of a whole path.
pub const MAX_PATH: usize = 1024;
/// The most components of a path; it bounds what a walk through the archive holds open.
pub const MAX_COMPONENTS: usize = 32;

/// A text that is no path beneath the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a clean relative path")]
pub struct BadPath;

/// A non-empty relative path of clean components: none is empty, `.`, `..` or longer than
/// [`MAX_COMPONENT`], none holds a control character.
///
/// It may name files that stand in the archive under names of others' choosing; what
/// [`Template::render`](super::Template::render) gives is stricter still.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelativePath(String);

impl RelativePath {
    /// Reads a path, as from the database or a walk.
    ///
    /// # Errors
    /// [`BadPath`], if it could leave the archive or can't be a file's.
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
