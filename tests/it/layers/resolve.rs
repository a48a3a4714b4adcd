//! What the paths in a crate lead to.

use std::collections::BTreeMap;

use super::module::{Kind, Mention, Modules, child};

/// Which module uses which other one, and one of the paths by which it does.
pub type Uses = BTreeMap<(String, String), String>;

/// What a path leads to.
enum Found {
    Module(String),
    /// An item of this module.
    Item(String),
}

fn parent(module: &str) -> &str {
    module.rsplit_once("::").map_or("", |(parent, _)| parent)
}

/// Which module uses which.
pub fn uses(modules: &Modules) -> Uses {
    let resolver = Resolver(modules);
    let mut uses = Uses::new();
    for (name, module) in modules {
        for Mention { path, kind } in &module.mentions {
            let Some(Found::Module(to) | Found::Item(to)) = resolver.resolve(name, path, *kind, 0)
            else {
                continue;
            };
            let of_own = *kind == Kind::ReExport && is_within(&to, name);
            if to != *name && !of_own {
                let text = || path.join("::");
                uses.entry((name.clone(), to)).or_insert_with(text);
            }
        }
    }
    uses
}

struct Resolver<'a>(&'a Modules);

impl Resolver<'_> {
    /// What a path in this module leads to; `None`: out of the crate, or to a local name.
    fn resolve(&self, module: &str, path: &[String], kind: Kind, depth: u8) -> Option<Found> {
        let (first, rest) = path.split_first()?;
        // Imports that lead to each other do not compile, but two globs may well.
        if depth > 16 {
            return None;
        }
        let here = &self.0[module];
        match first.as_str() {
            "crate" => self.walk("", rest, depth),
            "self" => self.walk(module, rest, depth),
            "super" => self.walk(parent(module), rest, depth),
            // In code, a single name can't be a module: it is a local one, or an imported item.
            name if here.children.contains(name) && (kind != Kind::Code || !rest.is_empty()) => {
                self.walk(&child(module, name), rest, depth)
            }
            name => self.follow(module, here.imports.get(name)?, rest, depth),
        }
    }

    /// The rest of a path from this module on.
    fn walk(&self, module: &str, path: &[String], depth: u8) -> Option<Found> {
        let Some((first, rest)) = path.split_first() else {
            return Some(Found::Module(module.to_owned()));
        };
        let here = &self.0[module];
        match first.as_str() {
            "self" => return self.walk(module, rest, depth),
            "super" => return self.walk(parent(module), rest, depth),
            name if here.children.contains(name) => {
                return self.walk(&child(module, name), rest, depth);
            }
            _ => {}
        }
        let item = || Some(Found::Item(module.to_owned()));
        if here.items.contains(first) {
            return item();
        }
        if let Some(import) = here.imports.get(first) {
            // A name of another crate that is borrowed from here is a use of this module.
            return self.follow(module, import, rest, depth).or_else(item);
        }
        let mut globs = here.globs.iter().filter_map(|glob| {
            match self.resolve(module, glob, Kind::Use, depth + 1)? {
                Found::Module(target) if self.has(&target, first) => {
                    self.walk(&target, path, depth + 1)
                }
                _ => None,
            }
        });
        globs.next().or_else(item)
    }

    /// The rest of a path that begins with an import of this module.
    fn follow(&self, module: &str, import: &[String], rest: &[String], depth: u8) -> Option<Found> {
        // `use name;` of a crate would otherwise be looked for among the imports again.
        if import.len() == 1 && !self.0[module].children.contains(&import[0]) {
            return None;
        }
        match self.resolve(module, import, Kind::Use, depth + 1)? {
            Found::Module(target) => self.walk(&target, rest, depth + 1),
            item @ Found::Item(_) => Some(item),
        }
    }

    fn has(&self, module: &str, name: &str) -> bool {
        let module = &self.0[module];
        module.items.contains(name)
            || module.children.contains(name)
            || module.imports.contains_key(name)
    }
}

fn is_within(module: &str, ancestor: &str) -> bool {
    let rest = module.strip_prefix(ancestor);
    ancestor.is_empty() || rest.is_some_and(|rest| rest.starts_with("::"))
}
