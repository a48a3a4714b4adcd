//! What the reader collects of each module.

use std::collections::{BTreeMap, BTreeSet};

/// The modules of a crate by their paths; that of the root is empty.
pub type Modules = BTreeMap<String, Module>;

/// The segments of a path.
pub type Segments = Vec<String>;

#[derive(Default)]
pub struct Module {
    pub children: BTreeSet<String>,
    /// Names of items that are defined here.
    pub items: BTreeSet<String>,
    /// Names that `use` brings in, and the path of each.
    pub imports: BTreeMap<String, Segments>,
    /// Paths of `use path::*`.
    pub globs: Vec<Segments>,
    pub mentions: Vec<Mention>,
}

/// A path somewhere in a module.
pub struct Mention {
    pub path: Segments,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Code,
    Use,
    /// `pub use` of any visibility.
    ReExport,
}

/// The path of a child module.
pub fn child(module: &str, name: &str) -> String {
    if module.is_empty() {
        return name.to_owned();
    }
    format!("{module}::{name}")
}
