//! The commit and the build profile, for `--version`. Without git, as from a source archive, the build works, too.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// `git archive` writes the commit into it: see `.gitattributes`.
const ARCHIVED: &str = "packaging/commit";

fn main() {
    println!("cargo::rerun-if-env-changed=ROOM_ARCHIVER_COMMIT");
    // What is compiled in: a change makes the commit a modified one. sqlx does not tell cargo about new migrations.
    for source in [
        ARCHIVED,
        "Cargo.lock",
        "Cargo.toml",
        "build.rs",
        "migrations",
        "src",
    ] {
        println!("cargo::rerun-if-changed={source}");
    }
    let commit = named().or_else(archived).or_else(checked_out);
    let commit = commit.unwrap_or_else(|| "unknown commit".to_owned());
    println!("cargo::rustc-env=ROOM_ARCHIVER_BUILD_COMMIT={commit}");
    let profile = env::var("PROFILE").expect("cargo sets it");
    println!("cargo::rustc-env=ROOM_ARCHIVER_BUILD_PROFILE={profile}");
}

/// The commit that whoever builds this names.
fn named() -> Option<String> {
    let commit = env::var("ROOM_ARCHIVER_COMMIT").ok()?;
    short(&commit)
}

/// The commit of a source archive.
fn archived() -> Option<String> {
    let text = fs::read_to_string(ARCHIVED).ok()?;
    if text.starts_with('$') {
        None
    } else {
        short(&text)
    }
}

fn short(commit: &str) -> Option<String> {
    let word: String = commit.trim().chars().take(12).collect();
    (!word.is_empty()).then_some(word)
}

/// The commit that is checked out here, with a mark if the files differ from it.
fn checked_out() -> Option<String> {
    // Without this, git would look in the directories above, which may be another project's.
    if !Path::new(".git").exists() {
        return None;
    }
    let head = git(&["rev-parse", "--git-path", "HEAD"])?;
    println!("cargo::rerun-if-changed={head}");
    if let Some(branch) = git(&["symbolic-ref", "--quiet", "HEAD"]) {
        for name in [branch.as_str(), "packed-refs"] {
            // Cargo would build again each time if a file that does not exist were listed here.
            let path = git(&["rev-parse", "--git-path", name])?;
            if Path::new(&path).exists() {
                println!("cargo::rerun-if-changed={path}");
            }
        }
    }
    git(&[
        "describe",
        "--always",
        "--exclude=*",
        "--abbrev=12",
        "--dirty=-modified",
    ])
}

fn git(args: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    // Others may use the repository at the same time.
    let output = git.arg("--no-optional-locks").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
