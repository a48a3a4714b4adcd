//! A database keeps to the project and the space that it has its recordings from.

use rustix::process::Signal;

use super::harness::Setting;
use super::text;

const OTHER: &str = "[signalwire]\nproject_id = \"11111111-2222-3333-4444-555555555555\"\n";

#[test]
fn another_project_or_space_is_refused_with_what_to_do_and_nothing_is_asked() {
    let other_space = Setting::with("");
    let origin = format!(
        "[signalwire]\nbase_url = \"{}\"\n",
        other_space.space.api_url()
    );
    for (more, known, key) in [
        (OTHER, None, "signalwire.project_id"),
        (&*origin, Some(()), "signalwire.space (or base_url)"),
    ] {
        let mut setting = Setting::archived();
        let known = match known {
            None => setting.space.project_id(),
            Some(()) => setting.space.api_url().trim_end_matches('/').to_owned(),
        };
        setting.space.archivable("later");
        setting.space.clear_journal();
        setting.more = more.to_owned();
        for command in ["once", "run"] {
            let output = setting.run(&[command]);
            assert_eq!(output.status.code(), Some(2), "{output:?}");
            let error = text(&output.stderr);
            assert!(error.contains(&format!("'{known}'")), "{error}");
            assert!(
                error.contains(&format!("set {key} back, or use another")),
                "{error}"
            );
        }
        let doctor = setting.run(&["doctor"]);
        let report = text(&doctor.stdout);
        assert!(report.contains("FAIL  project"), "{report}");
        assert!(report.contains(&format!("'{known}'")), "{report}");
        assert_eq!(setting.count("archive"), "1");
        setting.more.clear();
        setting.once(0);
        assert_eq!(setting.count("archive"), "2");
    }
    assert!(
        other_space
            .space
            .journal()
            .iter()
            .all(|seen| !seen.is_media())
    );
}

#[test]
fn a_wrong_project_can_be_corrected_while_nothing_is_known() {
    let mut setting = Setting::with("");
    setting.more = OTHER.to_owned();
    setting.once(3);
    setting.more.clear();
    setting.space.archivable("lesson");
    setting.once(0);
    assert_eq!(
        setting.sql("SELECT value FROM meta WHERE name = 'project_id'"),
        setting.space.project_id()
    );
}

#[test]
fn a_reload_changes_neither_project_nor_space() {
    let mut setting = Setting::archived();
    let mut daemon = setting.daemon();
    daemon.line("started");
    let cases = [
        (OTHER, "signalwire.project_id can't change"),
        (
            "[signalwire]\nbase_url = \"http://127.0.0.1:1\"\n",
            "signalwire.space can't change",
        ),
    ];
    for (more, refused) in cases {
        setting.more = more.to_owned();
        setting.config_file();
        daemon.signal(Signal::HUP);
        let line = daemon.line("the configuration was not reloaded");
        assert!(line.contains(refused), "{line}");
    }
    daemon.stop();
}
