//! The integration tests, in one binary: linking is what they cost most.

mod answers;
mod api_faults;
mod attention;
mod basics;
mod bounded;
mod bundle;
mod canary;
mod catalogue;
mod comparison;
mod contrib;
mod copies;
mod crash;
mod database_faults;
mod database_trouble;
mod demo;
mod direct;
mod discovery;
mod discovery_odd;
mod discovery_pages;
mod disk_faults;
mod disk_full;
mod doctor;
mod downloads;
mod endless;
mod evidence;
mod harness;
mod healing;
mod health;
mod hostile;
mod ids;
mod isolation;
mod json;
mod landing;
mod layers;
mod link_life;
mod list;
mod logs;
mod lost;
mod manual;
mod metrics;
mod monitoring;
mod mounted;
mod offsite;
mod once;
mod owner;
mod papers;
mod patience;
mod ping;
mod places;
mod process_faults;
mod readers;
mod readme;
mod rebinding;
mod reload;
mod retry;
mod service;
mod shells;
mod shortfall;
mod sidecars;
mod signals;
mod silence;
mod skeleton;
mod slow;
mod soak;
mod source;
mod spread;
mod standstill;
mod status;
mod status_all;
mod stopping;
mod sums;
mod telemetry_port;
mod terminal;
mod tls;
mod tolerance;
mod transfer_faults;
mod unwritable;
mod upstream;
mod web;
mod webhooks;
mod webhooks_crash;
mod webhooks_pace;

use std::process::{Command, Output, Stdio};

/// The program, with an environment of its own.
fn binary() -> assert_cmd::Command {
    let mut command =
        assert_cmd::Command::cargo_bin("room-archiver").expect("the program is built");
    command.env_clear();
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// Runs an ignored test in a process of its own, for what would meet every test of this one.
fn alone(test: &str, stderr: impl Into<Stdio>) -> Output {
    let output = Command::new(std::env::current_exe().expect("this file"))
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("JOURNAL_STREAM", "1:1")
        .stderr(stderr)
        .output()
        .expect("a child");
    // A name that no test has would succeed too.
    let ran = text(&output.stdout);
    assert!(ran.contains("1 passed"), "{output:?}");
    output
}
