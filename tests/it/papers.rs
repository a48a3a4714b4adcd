//! The links between the Markdown files of the repository lead somewhere: files and headings exist, and what a link
//! to the source names in its text stands in that file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The Markdown files below a directory, hidden and built ones left out.
fn papers(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            papers(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// The text without its fenced blocks.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The anchors that GitHub makes of the headings.
pub fn anchors(text: &str) -> Vec<String> {
    let mut seen: HashMap<String, u32> = HashMap::new();
    let text = prose(text);
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let kept = line.trim_start_matches('#').trim().chars();
            let kept = kept.filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            let anchor = kept.collect::<String>().to_lowercase().replace(' ', "-");
            let before = seen.entry(anchor.clone()).or_default();
            *before += 1;
            match *before {
                1 => anchor,
                number => format!("{anchor}-{}", number - 1),
            }
        })
        .collect()
}

/// The text and the target of each link.
fn links(text: &str) -> Vec<(String, String)> {
    let text = prose(text);
    text.match_indices("](")
        .filter_map(|(at, _)| {
            let shown = text[..at].rsplit_once('[')?.1;
            let target = text[at + 2..].split(')').next()?;
            Some((shown.to_owned(), target.to_owned()))
        })
        .collect()
}

/// What is wrong with a link from `paper`.
fn broken(paper: &Path, shown: &str, target: &str) -> Option<&'static str> {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = match path {
        "" => paper.to_owned(),
        path => paper.parent()?.join(path),
    };
    if !path.exists() {
        return Some("there is no such file");
    }
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    if !anchor.is_empty() && !anchors(&text).iter().any(|one| one == anchor) {
        return Some("there is no such heading");
    }
    let source = path.extension().is_some_and(|extension| extension == "rs");
    let name = shown.strip_prefix('`')?.strip_suffix('`')?;
    let itself = path.file_stem()? == name || path.file_name()? == name;
    (source && !itself && !defines(&text, name))
        .then_some("that file does not define what the link names")
}

/// Whether a source has a function or a type of this name.
fn defines(source: &str, name: &str) -> bool {
    ["fn", "struct", "enum", "type", "trait"]
        .iter()
        .any(|kind| {
            let definition = format!("{kind} {name}");
            let mut after = source.split(&definition).skip(1);
            after.any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
}

#[test]
fn every_link_between_the_papers_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    papers(root, &mut found);
    let mut wrong = Vec::new();
    let mut count = 0;
    for paper in &found {
        let text = std::fs::read_to_string(paper).expect("text");
        for (shown, target) in links(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            count += 1;
            if let Some(why) = broken(paper, &shown, &target) {
                wrong.push(format!("{}: [{shown}]({target}): {why}", paper.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 100, "only {count} links were found");
}

#[test]
fn a_link_that_leads_nowhere_is_noticed() {
    let paper = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    assert_eq!(broken(&paper, "x", "#recover"), None);
    assert_eq!(broken(&paper, "`State`", "src/model/state.rs"), None);
    assert!(broken(&paper, "x", "#no-such-heading").is_some());
    assert!(broken(&paper, "x", "docs/no-such-page.md").is_some());
    assert!(broken(&paper, "`NoSuchType`", "src/model/state.rs").is_some());
}
