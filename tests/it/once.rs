//! `once` ends soon whatever fails, and waits for what is worth it.

use std::time::{Duration, Instant};

use fake_space::{Action, Origin, Rule};

use super::harness::Setting;

/// Far less than the minute that it may take with the default configuration.
const SOON: Duration = Duration::from_secs(20);

fn setting(more: &str) -> Setting {
    let setting = Setting::with(more);
    setting.space.archivable("lesson");
    setting
}

#[expect(clippy::disallowed_methods, reason = "the program runs in real time")]
fn ends_soon(setting: &Setting, code: i32, what: &str) -> String {
    let began = Instant::now();
    let output = setting.run(&["once"]);
    assert!(began.elapsed() < SOON, "{what}: {:?}", began.elapsed());
    assert_eq!(output.status.code(), Some(code), "{what}: {output:?}");
    super::text(&output.stdout).to_owned()
}

#[test]
fn a_recording_that_keeps_failing_is_tried_a_few_times_whatever_the_longest_wait_is() {
    let endless =
        "[download]\nretry_initial = \"1ms\"\nretry_max = \"1ms\"\nstall_timeout = \"100ms\"\n";
    for action in [
        Action::Reset,
        Action::error(404),
        Action::error(503),
        Action::html(200),
        Action::ResetAfter(1),
    ] {
        let setting = setting(endless);
        setting.space.inject(Rule::media(action));
        let told = ends_soon(&setting, 4, "media");
        assert!(told.contains("left to do"), "{told}");
        let attempts = setting.count("attempts");
        let attempts: u32 = attempts.parse().expect("a number");
        assert!(
            (1..=5).contains(&attempts),
            "{}",
            setting.sql("SELECT attempt, started_at, outcome, http_status, error FROM attempts")
        );
        assert_eq!(setting.sql("SELECT state FROM queue"), "pending");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_refuses_connections_is_probed_for_a_while() {
    let setting = setting("[download]\nretry_initial = \"1ms\"\nretry_max = \"1ms\"\n");
    setting.space.refuse_connections(Origin::Media).await;
    tokio::task::block_in_place(|| ends_soon(&setting, 4, "no media host"));
}

#[test]
fn a_short_retry_after_is_waited_for_and_a_long_one_is_not() {
    let after = |seconds: &str| Action::retry_after(429, seconds);
    for rule in [
        Rule::sessions(after("6")).once(),
        Rule::media(after("2")).once(),
    ] {
        let setting = setting("");
        setting.space.inject(rule);
        ends_soon(&setting, 0, "a short wait");
        assert_eq!(setting.count("archive"), "1");
    }
    for (rule, code) in [
        (Rule::sessions(after("600")), 1),
        (Rule::media(after("600")), 4),
    ] {
        let setting = setting("");
        setting.space.inject(rule);
        ends_soon(&setting, code, "a long wait");
    }
}

#[test]
fn the_time_of_the_next_attempt_is_shown_only_if_there_is_one() {
    let setting = setting("[download]\nretry_initial = \"10m\"\n");
    let dry = setting.run(&["once", "--dry-run"]);
    let dry = super::text(&dry.stdout);
    assert!(dry.contains("  STATE    ROOM    LAST ERROR\n"), "{dry}");
    setting.space.inject(Rule::media(Action::error(503)));
    let failed = setting.run(&["once"]);
    let failed = super::text(&failed.stdout);
    assert!(failed.contains("  NEXT ATTEMPT "), "{failed}");
    assert!(failed.contains("  in "), "{failed}");
}
