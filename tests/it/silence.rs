//! An API that gives no answer, or none worth having: passes end soon, and the watchdog does not bark.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use fake_space::{Action, Gate, Options, Origin, Rule};
use room_archiver::store::PassOutcome;

use super::harness::{Child, Setting, Stage};
use super::text;

/// Requests of one `once` with a time-out of a second, and what it said.
fn once(setting: &mut Setting) -> (u64, String) {
    let times = "[signalwire]\nrequest_timeout = \"1s\"\nconnect_timeout = \"1s\"\n[download]\nretry_initial = \"1s\"\n";
    times.clone_into(&mut setting.more);
    setting.space.clear_journal();
    let output = setting.once(1);
    (
        setting.space.counters().api_requests,
        text(&output.stdout).to_owned(),
    )
}

#[test]
fn a_silent_api_is_asked_once_and_the_rest_of_the_pass_is_not_tried() {
    let mut setting = Setting::with("");
    for _ in 0..8 {
        setting.space.archivable("lesson");
    }
    setting.run(&["once"]);
    // Each of the sessions is due again at once.
    let due = "UPDATE session SET next_list_at = first_seen_at, settled_at = NULL";
    setting.write_sql(due);
    setting.space.inject(Rule::api(Action::Hold(Gate::new())));
    let (requests, said) = once(&mut setting);
    assert_eq!(requests, 1, "{said}");
    assert!(said.contains("timed out"), "{said}");
}

#[test]
fn slow_failures_do_not_multiply() {
    let mut setting = Setting::with("");
    for _ in 0..8 {
        setting.space.archivable("lesson");
    }
    setting.run(&["once"]);
    setting.write_sql("UPDATE session SET next_list_at = first_seen_at, settled_at = NULL");
    let slow = Rule::api(Action::Delay(Duration::from_millis(700))).and(Action::error(500));
    setting.space.inject(slow);
    let (requests, said) = once(&mut setting);
    assert_eq!(requests, 1, "{said}");
}

#[tokio::test]
async fn an_api_that_refuses_or_resets_connections_ends_the_pass_with_its_first_request() {
    let more = "[download]\nretry_initial = \"1ms\"\n";
    let stage = Stage::new(Options::default(), more).await;
    for _ in 0..8 {
        stage.ended(Duration::ZERO);
    }
    stage.archive.poll().await;
    stage.pass_time(Duration::from_mins(5));
    let rule = stage.space().inject(Rule::api(Action::Reset));
    let report = stage.archive.poll().await;
    assert_eq!((report.counts.requests, stage.space().fired(rule)), (3, 3));
    assert_eq!(report.rate_limited_until, None);
    stage.space().refuse_connections(Origin::Api).await;
    for report in [stage.archive.poll().await, stage.archive.sweep().await] {
        assert_eq!(report.counts.requests, 3, "{:?}", report.error);
    }
}

#[tokio::test]
async fn sessions_that_give_no_answer_keep_neither_the_others_nor_the_next_pass() {
    let more = "[signalwire]\nrequest_timeout = \"300ms\"\n[poll]\nconcurrency = 2\n";
    let stage = Stage::new(Options::default(), more).await;
    let good: Vec<_> = (0..6).map(|_| stage.space().archivable("good").1).collect();
    for _ in 0..3 {
        let silent = stage.ended(Duration::ZERO);
        let hold = Rule::session_recordings(Action::Hold(Gate::new()));
        stage.space().inject(hold.of(silent));
    }
    stage.archive.poll().await;
    for recording in good {
        assert_eq!(stage.state(recording), "pending");
    }
    stage.pass_time(Duration::from_mins(5));
    let report = stage.archive.poll().await;
    assert_eq!(report.outcome, PassOutcome::Complete, "they are put off");
}

#[tokio::test]
async fn a_pass_that_a_rate_limit_ended_says_until_when() {
    let stage = Stage::new(Options::default(), "").await;
    stage.space().archivable("lesson");
    let wait = |seconds: i64| stage.clock.now() + chrono::TimeDelta::seconds(seconds);
    for rule in [Rule::sessions, Rule::session_recordings] {
        let limited = rule(Action::retry_after(429, "40"));
        let limited = stage.space().inject(limited);
        let report = stage.archive.poll().await;
        let until = report.rate_limited_until.expect("a time");
        let off = (until - wait(40)).num_seconds().abs();
        assert!(off <= 1, "{until}");
        let error = report.error.expect("an error");
        assert!(
            error.starts_with("SignalWire is rate-limiting us (Retry-After) until 20"),
            "{error}"
        );
        // Nothing is asked meanwhile, and the time is known.
        stage.space().clear_journal();
        let report = stage.archive.sweep().await;
        assert_eq!(report.rate_limited_until, Some(until));
        assert_eq!(stage.space().counters().api_requests, 0);
        stage.space().remove_fault(limited);
        stage.pass_time(Duration::from_secs(42));
    }
    let report = stage.archive.poll().await;
    assert_eq!((report.rate_limited_until, stage.known().len()), (None, 1));
}

#[test]
fn the_watchdog_is_fed_while_an_api_gives_no_answer() {
    // Longer than the queue of downloads sleeps between two signs of life.
    const PERIOD: Duration = Duration::from_secs(12);
    let setting = Setting::with("[signalwire]\nrequest_timeout = \"10m\"\n");
    let gate = Gate::new();
    setting.space.inject(Rule::api(Action::Hold(gate.clone())));
    let path = setting.directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(PERIOD)).expect("a socket");
    let period = PERIOD.as_micros().to_string();
    let env = [
        ("NOTIFY_SOCKET", path.as_os_str()),
        ("WATCHDOG_USEC", period.as_ref()),
    ];
    let mut daemon = Child::start(&setting, &env);
    setting.wait(|setting| setting.space.counters().api_requests == 1);
    // Fed every half period while all is well: the fourth is later than a period after the first.
    let mut fed = 0;
    let mut buffer = [0; 4096];
    while fed < 4 {
        let length = socket
            .recv(&mut buffer)
            .expect("the watchdog is fed in time");
        fed += u32::from(text(&buffer[..length]).contains("WATCHDOG=1"));
    }
    assert_eq!(setting.space.counters().api_requests, 1, "it still waits");
    setting.space.clear_faults();
    gate.open();
    daemon.line("sweep complete");
    daemon.stop();
}
