//! A reload says how it went: `systemctl reload` runs `config reload`.

use super::harness::{Child, Setting};
use super::text;

/// `config reload` as systemd runs it: its exit code and what it said.
fn reload(setting: &Setting, daemon: &Child) -> (Option<i32>, String) {
    let mut command = setting.command();
    command.env("MAINPID", daemon.id().to_string());
    let done = command
        .args(["config", "reload"])
        .output()
        .expect("the program");
    let said = format!("{}{}", text(&done.stdout), text(&done.stderr));
    (done.status.code(), said)
}

#[test]
fn a_reload_succeeds_once_the_service_has_read_its_configuration_again() {
    let mut setting = Setting::archived();
    let mut daemon = setting.daemon();
    daemon.line("started");
    setting.more = "[log]\nlevel = \"debug\"\n".to_owned();
    setting.config_file();
    for _ in 0..2 {
        let (code, said) = reload(&setting, &daemon);
        assert_eq!(code, Some(0), "{said}");
    }
    daemon.stop();
    assert_eq!(daemon.count("the configuration was reloaded"), 2);
}

#[test]
fn a_reload_of_a_bad_configuration_fails_and_the_service_goes_on() {
    let mut setting = Setting::archived();
    let mut daemon = setting.daemon();
    daemon.line("started");
    // What is not valid does not even get to the service.
    setting.more = "[poll]\nsettle = \"soon\"\n".to_owned();
    let (code, said) = reload(&setting, &daemon);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("poll.settle"), "{said}");
    // What only a running service can refuse.
    setting.more = "[signalwire]\nbase_url = \"http://127.0.0.1:1\"\n".to_owned();
    let (code, said) = reload(&setting, &daemon);
    assert_eq!(code, Some(1), "{said}");
    let why = "the service refused the configuration and keeps the old one: signalwire.space can't change";
    assert!(said.contains(why), "{said}");
    // The same refusal once more is an answer of its own.
    assert_eq!(reload(&setting, &daemon).0, Some(1));
    setting.more.clear();
    assert_eq!(reload(&setting, &daemon).0, Some(0));
    daemon.stop();
    assert_eq!(daemon.count("the configuration was not reloaded"), 2);
}

#[test]
fn a_reload_of_a_service_that_is_gone_fails() {
    let setting = Setting::archived();
    let mut daemon = setting.daemon();
    daemon.line("started");
    daemon.kill();
    let (code, said) = reload(&setting, &daemon);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("could not send SIGHUP"), "{said}");
}
