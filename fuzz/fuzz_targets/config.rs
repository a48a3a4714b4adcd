//! The configuration: TOML, then a line "---", then NAME=VALUE lines for the environment. Nothing
//! panics, errors never repeat a secret, and what is accepted reads back the same.

#![no_main]

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use room_archiver::config::{Config, Environment};
use rustix::fs::{MemfdFlags, memfd_create};

const SECRET: &str = "PT5up3r5ecret";

fuzz_target!(|text: &str| {
    let (toml, variables) = text.split_once("\n---\n").unwrap_or((text, ""));
    // Templates are the operator's own: one that counts to a billion harms nobody else.
    if text.contains("range") || text.contains('*') && text.contains("{{") && text.len() > 4000 {
        return;
    }
    let env: Environment = variables
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| name.starts_with("ROOM_ARCHIVER_"))
        .collect();
    match load(toml, &env) {
        Ok(config) => {
            let shown = toml::to_string(&config).expect("it can be shown");
            let again = load(&shown, &Environment::default()).expect("what is shown can be read");
            assert_eq!(again, config);
        }
        Err(errors) => {
            assert!(!errors.0.is_empty());
            for problem in &errors.0 {
                // A template's own words are repeated, as is a name; values of other keys never.
                let key = problem.key.as_deref().unwrap_or_default();
                if key != "archive.path_template" {
                    assert!(!problem.text.contains(SECRET), "{errors}");
                }
            }
            assert!(!errors.to_string().contains('\u{1b}'));
        }
    }
});

fn load(toml: &str, env: &Environment) -> Result<Config, room_archiver::config::ConfigErrors> {
    let mut file: File = memfd_create("config", MemfdFlags::CLOEXEC)
        .expect("memory")
        .into();
    file.write_all(toml.as_bytes()).expect("memory");
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    Config::load(Some(&path), env)
}
