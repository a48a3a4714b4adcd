//! The modules of a crate depend on each other in one direction: upper layers on lower ones, never in a
//! circle. The test reads the source: `use` declarations, paths in code, in macros and in attributes. It
//! can't see what needs types: the module of a method that is called.

mod module;
mod read;
mod resolve;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use resolve::Uses;

/// The modules of fake-space, from bottom to top.
const FAKE_SPACE: &[&[&str]] = &[
    &["clock", "dice", "gate", "hex", "lock", "options"],
    &["http", "media"],
    &["journal", "model", "paging", "signing"],
    &["bulk"],
    &["world"],
    &["state"],
    &["api", "storage"],
    &["faults"],
    &["server"],
    &["space"],
    &["chaos", "lifecycle"],
];

/// The modules of the program, from bottom to top.
const PROGRAM: &[&[&str]] = &[
    &[
        "addresses",
        "clock",
        "durable",
        "escape",
        "model",
        "version",
    ],
    &["human", "links"],
    &[
        "archive",
        "cooldown",
        "instance",
        "lifecycle",
        "store",
        "telemetry",
        "throttle",
    ],
    &["owner", "schedule", "sidecar", "signalwire"],
    &["config", "copies"],
    &["offsite"],
    &[
        "download",
        "notify",
        "poll",
        "rebuild",
        "reconcile",
        "verify",
        "web",
    ],
    &["app"],
    &["cli"],
];

/// What breaks the rules in the crate whose `lib.rs` or `main.rs` is in `root`:
///
/// - a top-level module that uses another one of its own layer or of a layer above it; `layers` are from
///   bottom to top, and above all of them is the root of the crate;
/// - modules at any depth that use each other in a circle. That a parent declares its children and
///   re-exports their items is no use of them;
/// - a top-level module that is in no layer, and a name in `layers` that is no module.
///
/// `#[cfg(test)]` is left out.
pub fn check(root: &Path, layers: &[&[&str]]) -> Vec<String> {
    let modules = read::read(root);
    let uses = resolve::uses(&modules);
    let rank = |module: &str| layers.iter().position(|layer| layer.contains(&top(module)));
    let below_root = modules.keys().filter(|module| !module.is_empty());
    let tops: BTreeSet<&str> = below_root.map(|module| top(module)).collect();
    let mut problems = Vec::new();
    for top in &tops {
        if rank(top).is_none() {
            problems.push(format!("{top} is in no layer"));
        }
    }
    for name in layers.iter().copied().flatten() {
        if !tops.contains(name) {
            problems.push(format!("{name} is in a layer and no module"));
        }
    }
    for ((from, to), path) in &uses {
        if from.is_empty() || top(from) == top(to) {
            continue;
        }
        let place = match (rank(from), rank(to)) {
            _ if to.is_empty() => "the root of the crate".to_owned(),
            (Some(from), Some(above)) if from < above => format!("{to} of a layer above"),
            (Some(from), Some(same)) if from == same => format!("{to} of its own layer"),
            _ => continue,
        };
        problems.push(format!("{from} uses {place}: {path}"));
    }
    problems.extend(circles(&uses));
    problems
}

/// The first segment of a module's path.
fn top(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

/// One line for each group of modules that reach each other.
fn circles(uses: &Uses) -> Vec<String> {
    let mut reached: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to) in uses.keys() {
        reached.entry(from).or_default().insert(to);
    }
    loop {
        let longer: BTreeMap<&str, BTreeSet<&str>> = reached
            .iter()
            .map(|(from, to)| {
                let next = to.iter().filter_map(|module| reached.get(module)).flatten();
                (*from, to.iter().chain(next).copied().collect())
            })
            .collect();
        if longer == reached {
            break;
        }
        reached = longer;
    }
    let both = |a: &str, b: &str| reached[a].contains(b) && reached[b].contains(a);
    let groups: BTreeSet<Vec<&str>> = reached
        .keys()
        .filter(|module| both(module, module))
        .map(|module| {
            let of_circle = reached[module].iter().copied();
            of_circle
                .filter(|other| reached.contains_key(other) && both(module, other))
                .collect()
        })
        .collect();
    let describe = |group: Vec<&str>| {
        let inside = uses.iter().filter(|((from, to), _)| {
            group.contains(&from.as_str()) && group.contains(&to.as_str())
        });
        let arrows: Vec<String> = inside
            .map(|((from, to), path)| format!("{from} -> {to} ({path})"))
            .collect();
        format!("circle: {}", arrows.join(", "))
    };
    groups.into_iter().map(describe).collect()
}

#[test]
fn the_modules_of_fake_space_depend_downwards_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fake-space/src");
    let problems = check(&root, FAKE_SPACE);
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn the_modules_of_the_program_depend_downwards_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let problems = check(&root, PROGRAM);
    assert!(problems.is_empty(), "{problems:#?}");
}

/// What is found in a crate of these files.
fn found(files: &[(&str, &str)], layers: &[&[&str]]) -> Vec<String> {
    let root = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }
    check(root.path(), layers)
}

const LIB: (&str, &str) = ("lib.rs", "mod high;\nmod low;\nmod other;\n");

/// What is found if `low`, `other` and `high`, the only layers, have these texts.
fn found_in(low: &str, other: &str, high: &str) -> Vec<String> {
    let files = [LIB, ("low.rs", low), ("other.rs", other), ("high.rs", high)];
    found(&files, &[&["low", "other"], &["high"]])
}

#[test]
fn downward_uses_and_uses_of_other_crates_are_allowed() {
    let low = "use std::fmt; use serde::{self, Serialize}; pub struct Low; fn low() { std::mem::drop(1) }";
    let high = "use crate::{low::{self, Low as Lowest}, other::*}; fn f(_: low::Low, _: Lowest) {}";
    assert_eq!(found_in(low, "", high), [""; 0]);
}

#[test]
fn an_upward_use_is_found_wherever_it_is_written() {
    for low in [
        "use crate::high::High;",
        "use crate::{high::{deep::{High}}};",
        "use super::high;",
        "use self::super::high as quite_another;",
        "fn f() { use crate::high::High; }",
        "fn f() -> crate::high::High { todo!() }",
        "fn f() { println!(\"{}\", [crate::high::high(1)]) }",
        "macro_rules! m { () => { $crate::high::high() } }",
        "#[serde(default = \"crate::high::high\")] struct Low;",
        "#[arg(value_parser = crate::high::high)] struct Low;",
        "mod inner { fn f() { super::super::high::high(); } }",
        "mod inner { use super::super::high as h; pub use h::High; }",
        "pub use crate::high::High;",
        "impl super::high::High for u8 {}",
    ] {
        let problems = found_in(low, "", "pub struct High;");
        assert!(!problems.is_empty(), "{low}");
        let expected = |problem: &String| problem.contains("uses high of a layer above: ");
        assert!(problems.iter().all(expected), "{low}: {problems:#?}");
    }
}

#[test]
fn modules_of_one_layer_use_each_other_no_more_than_the_root() {
    let problems = found_in("use crate::other::X;", "pub struct X;", "");
    assert_eq!(
        problems,
        ["low uses other of its own layer: crate::other::X"]
    );
    let files = [
        ("lib.rs", "mod low; fn mix() {}"),
        ("low.rs", "use crate::mix;"),
    ];
    assert_eq!(
        found(&files, &[&["low"]]),
        ["low uses the root of the crate: crate::mix"]
    );
}

#[test]
fn a_path_through_a_re_export_leads_to_the_module_that_defines_the_item() {
    let lib = ("lib.rs", "mod high; mod low; pub use high::High;");
    let low = "use crate::High;";
    let files = [lib, ("low.rs", low), ("high.rs", "pub struct High;")];
    assert_eq!(
        found(&files, &[&["low"], &["high"]]),
        ["low uses high of a layer above: crate::High"]
    );
}

#[test]
fn a_circle_is_found_between_siblings_and_between_parent_and_child() {
    let lib = ("lib.rs", "mod a;");
    let parent = ("a.rs", "mod b; mod c; pub use b::B; struct A;");
    let files = [
        lib,
        parent,
        ("a/b.rs", "use super::c::C;"),
        ("a/c.rs", "use super::B;"),
    ];
    assert_eq!(
        found(&files, &[&["a"]]),
        ["circle: a::b -> a::c (super::c::C), a::c -> a::b (super::B)"]
    );
    let of_child = ("a/b.rs", "use super::A; pub struct B;");
    for (use_of_child, circle) in [
        ("pub use b::B;", false),
        ("pub use b::*;", false),
        ("pub use b::B; fn f(_: B) {}", true),
        ("use b::B;", true),
        ("fn f() { b::b() }", true),
    ] {
        let parent = format!("mod b; pub struct A; {use_of_child}");
        let problems = found(&[lib, ("a.rs", &parent), of_child], &[&["a"]]);
        assert_eq!(
            !problems.is_empty(),
            circle,
            "{use_of_child}: {problems:#?}"
        );
    }
}

#[test]
fn tests_may_use_anything() {
    let low = "
        #[cfg(test)] mod tests { use crate::high::High; }
        #[cfg(test)] mod in_a_file_that_is_not_read;
        #[cfg(all(test, unix))] use crate::high;
        struct Low;
        impl Low { #[cfg(test)] fn f() { crate::high::high() } }
    ";
    assert_eq!(found_in(low, "", ""), [""; 0]);
    let problems = found_in("#[cfg(not(test))] use crate::high;", "", "");
    assert_eq!(problems.len(), 1);
}

#[test]
fn each_module_is_in_a_layer_and_each_layer_of_modules() {
    let files = [
        ("main.rs", "mod a; mod b { mod c; }"),
        ("a/mod.rs", ""),
        ("b/c.rs", ""),
    ];
    assert_eq!(
        found(&files, &[&["a", "c"]]),
        ["b is in no layer", "c is in a layer and no module"]
    );
}
