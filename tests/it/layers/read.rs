//! Reading the source of a crate: its modules, what they import, and the paths in them.

use std::path::{Path, PathBuf};

use syn::ext::IdentExt as _;
use syn::parse::discouraged::Speculative as _;
use syn::parse::{ParseStream, Parser as _};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Ident, ImplItem, Item, LitStr, Meta, Token, UseTree, Visibility, braced, bracketed,
    parenthesized, token,
};

use super::module::{Kind, Mention, Module, Modules, Segments, child};

/// Reads the crate whose `lib.rs` or `main.rs` is in `root`.
pub fn read(root: &Path) -> Modules {
    let mut modules = Modules::new();
    for file in ["lib.rs", "main.rs"].map(|name| root.join(name)) {
        if file.exists() {
            read_file(&mut modules, &file, root, "");
        }
    }
    assert!(!modules.is_empty(), "no crate in {}", root.display());
    modules
}

/// `children` is the directory with the files of child modules.
fn read_file(modules: &mut Modules, path: &Path, children: &Path, module: &str) {
    let text = std::fs::read_to_string(path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = syn::parse_file(&text);
    let file = file.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    modules.entry(module.to_owned()).or_default();
    Reader {
        modules,
        module: module.to_owned(),
        children: children.to_owned(),
    }
    .visit_file(&file);
}

/// Collects what is in one module, and reads its child modules.
struct Reader<'a> {
    modules: &'a mut Modules,
    module: String,
    children: PathBuf,
}

impl Reader<'_> {
    fn here(&mut self) -> &mut Module {
        self.modules.get_mut(&self.module).expect("it was added")
    }

    fn mention(&mut self, path: &syn::Path, kind: Kind) {
        let path = path.segments.iter();
        let path = path
            .map(|segment| segment.ident.unraw().to_string())
            .collect();
        self.here().mentions.push(Mention { path, kind });
    }

    /// Paths anywhere in what is not parsed: the bodies of macros and of attributes.
    fn scan(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        while !input.is_empty() {
            let inner;
            if input.peek(token::Paren) {
                parenthesized!(inner in input);
                self.scan(&inner)?;
            } else if input.peek(token::Bracket) {
                bracketed!(inner in input);
                self.scan(&inner)?;
            } else if input.peek(token::Brace) {
                braced!(inner in input);
                self.scan(&inner)?;
            } else if let Some(path) = path_at(input) {
                self.mention(&path, Kind::Code);
            } else {
                self.scan_token(input)?;
            }
        }
        Ok(())
    }

    /// One token; a string may be a path, as in `serde(with = "crate::module")`.
    fn scan_token(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let Ok(text) = input.fork().parse::<LitStr>() else {
            return input.step(|cursor| {
                let (_, rest) = cursor.token_tree().expect("not at the end");
                Ok(((), rest))
            });
        };
        input.parse::<LitStr>()?;
        let value = text.value();
        let own = ["crate::", "self::", "super::"].map(|start| value.starts_with(start));
        if own.contains(&true)
            && let Ok(path) = text.parse_with(syn::Path::parse_mod_style)
        {
            self.mention(&path, Kind::Code);
        }
        Ok(())
    }

    fn import(&mut self, tree: &UseTree, mut path: Segments, kind: Kind) {
        let (ident, name) = match tree {
            UseTree::Path(tree) => {
                path.push(tree.ident.unraw().to_string());
                return self.import(&tree.tree, path, kind);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, path.clone(), kind);
                }
                return;
            }
            UseTree::Glob(_) => {
                self.here().globs.push(path.clone());
                self.here().mentions.push(Mention { path, kind });
                return;
            }
            UseTree::Name(tree) => (&tree.ident, &tree.ident),
            UseTree::Rename(tree) => (&tree.ident, &tree.rename),
        };
        if ident != "self" {
            path.push(ident.unraw().to_string());
        }
        let name = if name == "self" {
            path.last().cloned().unwrap_or_default()
        } else {
            name.unraw().to_string()
        };
        self.here().imports.insert(name, path.clone());
        self.here().mentions.push(Mention { path, kind });
    }
}

/// The path at the beginning of the input, which is then behind it.
fn path_at(input: ParseStream<'_>) -> Option<syn::Path> {
    // The `::` of `Vec::<u8>::new` is not followed by a name and ends the path.
    let mut end = input.fork();
    let first = Ident::parse_any(&end).ok()?;
    let mut path = syn::Path::from(first);
    while end.peek(Token![::]) {
        let next = end.fork();
        let ident = next
            .parse::<Token![::]>()
            .and_then(|_| Ident::parse_any(&next));
        let Ok(ident) = ident else { break };
        path.segments.push(ident.into());
        end = next;
    }
    input.advance_to(&end);
    Some(path)
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = describe(item);
        if attributes.iter().any(for_tests) {
            return;
        }
        if let Some(name) = name {
            self.here().items.insert(name.unraw().to_string());
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            _ => return visit::visit_impl_item(self, item),
        };
        if !attributes.iter().any(for_tests) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let name = item.ident.unraw().to_string();
        let module = child(&self.module, &name);
        self.here().children.insert(name.clone());
        let children = self.children.join(&name);
        if let Some((_, items)) = &item.content {
            self.modules.entry(module.clone()).or_default();
            let mut reader = Reader {
                modules: self.modules,
                module,
                children,
            };
            for item in items {
                reader.visit_item(item);
            }
            return;
        }
        let own = children.join("mod.rs");
        let file = if own.exists() {
            own
        } else {
            children.with_extension("rs")
        };
        read_file(self.modules, &file, &children, &module);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let kind = match item.vis {
            Visibility::Inherited => Kind::Use,
            _ => Kind::ReExport,
        };
        // `use ::name` is another crate whatever modules there are.
        if item.leading_colon.is_none() {
            self.import(&item.tree, Vec::new(), kind);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.mention(path, Kind::Code);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.visit_path(&mac.path);
        let scan = |input: ParseStream<'_>| self.scan(input);
        scan.parse2(mac.tokens.clone()).expect("tokens");
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            let scan = |input: ParseStream<'_>| self.scan(input);
            scan.parse2(list.tokens.clone()).expect("tokens");
        }
    }

    /// `pub(super)` uses nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// The attributes of an item, and the name that it defines.
fn describe(item: &Item) -> (&[Attribute], Option<&Ident>) {
    match item {
        Item::Const(item) => (&item.attrs, Some(&item.ident)),
        Item::Enum(item) => (&item.attrs, Some(&item.ident)),
        Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
        Item::Impl(item) => (&item.attrs, None),
        Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
        Item::Mod(item) => (&item.attrs, None),
        Item::Static(item) => (&item.attrs, Some(&item.ident)),
        Item::Struct(item) => (&item.attrs, Some(&item.ident)),
        Item::Trait(item) => (&item.attrs, Some(&item.ident)),
        Item::Type(item) => (&item.attrs, Some(&item.ident)),
        Item::Use(item) => (&item.attrs, None),
        _ => (&[], None),
    }
}

/// Whether this is `#[cfg(test)]`, also as one of several conditions.
fn for_tests(attribute: &Attribute) -> bool {
    fn is_test(meta: &Meta) -> bool {
        let nested = || {
            let Meta::List(list) = meta else { return None };
            let parser = syn::punctuated::Punctuated::<Meta, Token![,]>::parse_terminated;
            list.path.is_ident("all").then_some(())?;
            parser.parse2(list.tokens.clone()).ok()
        };
        meta.path().is_ident("test") || nested().is_some_and(|all| all.iter().any(is_test))
    }
    attribute.path().is_ident("cfg")
        && attribute
            .parse_args::<Meta>()
            .is_ok_and(|meta| is_test(&meta))
}
