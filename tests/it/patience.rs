//! Hosts that ask for patience, and outages: waited for together and within limits, across restarts, and
//! without using up a single recording.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fake_space::{Action, Gate, NewRecording, Options, Origin, Rule};
use room_archiver::store::PassOutcome;
use uuid::Uuid;

use super::harness::{HOUR, MINUTE, Setting, Stage};

/// What a host may say with 429 or 503, and for how many seconds it is left alone then.
const FORMS: usize = 9;

fn form(number: usize, now: DateTime<Utc>) -> (&'static str, String, u64) {
    let date = |seconds| {
        let at = now + TimeDelta::seconds(seconds);
        at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    };
    let forms: [_; FORMS] = [
        ("seconds", "600".to_owned(), 600),
        ("a date", date(600), 600),
        ("a date in the past", date(-600), 1),
        ("no time at all", "0".to_owned(), 1),
        ("an absurd number", "9".repeat(30), 3600),
        ("an absurd date", date(1_000_000_000), 3600),
        ("garbage", "after lunch".to_owned(), 30),
        ("a negative number", "-600".to_owned(), 30),
        ("nothing", String::new(), 30),
    ];
    forms[number].clone()
}

async fn reopened(stage: Stage) -> Stage {
    let Stage {
        setting,
        clock,
        archive,
    } = stage;
    archive.close().await;
    let archive = setting.open(&clock).await;
    Stage {
        setting,
        clock,
        archive,
    }
}

/// A recording whose media lie on a host of another name than the API's.
fn elsewhere(stage: &Stage) -> Uuid {
    let (_, recording) = stage.space().archivable("lesson");
    // What came by a hop is signed for the host it came from.
    let media = stage.space().media_url();
    let other = media.replace("127.0.0.1", "localhost") + "/hop/0";
    stage
        .space()
        .map_uri(recording, move |uri| uri.replace(&media, &other));
    recording
}

#[tokio::test]
async fn a_media_host_that_asks_for_patience_is_left_alone_by_all_downloads_and_across_restarts() {
    for number in 0..FORMS {
        let more = "[download]\nconcurrency = 2\nretry_initial = \"1ms\"\nretry_max = \"1ms\"\n";
        let stage = Stage::new(Options::default(), more).await;
        let (form, header, seconds) = form(number, stage.space().now());
        let mut recordings: Vec<Uuid> = (0..4).map(|_| elsewhere(&stage)).collect();
        stage.archive.poll().await;
        let ask = Action::retry_after(if seconds == 600 { 429 } else { 503 }, &header);
        let asked = stage.space().inject(Rule::media(ask).times(2));
        assert_eq!(stage.archive.download().await, 0, "{form}");
        // The two that were under way were told; nobody else asked.
        assert!(stage.space().fired(asked) >= 1, "{form}");
        let requests = stage.space().counters().media_requests;
        assert!(requests <= 2, "{form}: {requests}");
        stage.space().clear_faults();

        let stage = reopened(stage).await;
        let mut left = seconds;
        if seconds >= 600 {
            stage.pass_time(Duration::from_secs(seconds - 100));
            left = 100;
            // One that was never told is not asked for either; the API is another host.
            recordings.push(elsewhere(&stage));
            assert_eq!(stage.archive.poll().await.outcome, PassOutcome::Complete);
            assert_eq!(stage.archive.download().await, 0, "{form}");
            let now = stage.space().counters().media_requests;
            assert_eq!(now, requests, "{form}");
        }
        stage.pass_time(Duration::from_secs(left + 60));
        let archived = stage.archive.download().await;
        assert_eq!(archived, recordings.len() as u64, "{form}");
        for recording in &recordings {
            assert_eq!(stage.state(*recording), "archived", "{form}");
        }
    }
}

#[tokio::test]
async fn the_api_is_left_alone_as_long_as_it_asked_by_passes_and_downloads_alike() {
    for number in 0..FORMS {
        let stage = Stage::new(Options::default(), "").await;
        let (form, header, seconds) = form(number, stage.space().now());
        if seconds == 1 {
            // So short a wait is waited out on the spot.
            continue;
        }
        for _ in 0..3 {
            stage.space().archivable("lesson");
        }
        stage.archive.poll().await;
        stage.space().kill_links();
        let asked = stage
            .space()
            .inject(Rule::single_recordings(Action::retry_after(429, &header)));
        assert_eq!(stage.archive.download().await, 0, "{form}");
        // All three mint at once, perhaps, before the first answer.
        assert!((1..=3).contains(&stage.space().fired(asked)), "{form}");
        stage.space().clear_faults();
        stage.space().clear_journal();

        let stage = reopened(stage).await;
        let left = if seconds >= 600 { 100 } else { 20 };
        stage.pass_time(Duration::from_secs(seconds - left));
        let (poll, sweep) = (stage.archive.poll().await, stage.archive.sweep().await);
        assert_eq!(poll.outcome, PassOutcome::Incomplete, "{form}");
        assert_eq!(poll.counts.requests + sweep.counts.requests, 0, "{form}");
        if seconds >= 600 {
            assert_eq!(stage.archive.download().await, 0, "{form}");
        }
        assert_eq!(stage.space().counters().api_requests, 0, "{form}");
        assert_eq!(stage.setting.sql("SELECT max(attempts) FROM queue"), "0");
        stage.pass_time(Duration::from_secs(left + 60));
        assert_eq!(stage.archive.poll().await.outcome, PassOutcome::Complete);
        assert_eq!(stage.archive.download().await, 3, "{form}");
    }
}

#[tokio::test]
async fn a_date_to_wait_for_counts_by_the_hosts_clock_not_by_ours() {
    // Ours is ten years behind, or ahead: neither an hour nor a second, but the minutes asked for.
    for days in [3650, -3650] {
        let stage = Stage::new(Options::default(), "").await;
        stage.space().archivable("lesson");
        let theirs = stage.space().now();
        stage.clock.set_wall(theirs + TimeDelta::days(days));
        let date = theirs + TimeDelta::seconds(600);
        let date = date.format("%A, %d-%b-%y %H:%M:%S GMT").to_string();
        stage
            .space()
            .inject(Rule::sessions(Action::retry_after(429, &date)).once());
        stage.archive.poll().await;
        for (wait, requests) in [(500, 0), (200, 2)] {
            stage.pass_time(Duration::from_secs(wait));
            let report = stage.archive.poll().await;
            assert_eq!(report.counts.requests, requests, "{days} days");
        }
    }
}

/// An hour, five minutes at a time, of an outage that `begin` starts and `end` ends.
async fn an_hour_without(more: &str, begin: impl AsyncFn(&Stage), end: impl AsyncFn(&Stage)) {
    let stage = Stage::new(Options::default(), more).await;
    let mut recordings: Vec<Uuid> = (0..5)
        .map(|_| stage.space().archivable("before").1)
        .collect();
    stage.archive.poll().await;
    begin(&stage).await;
    for number in 0..12 {
        if number == 6 {
            recordings.push(stage.space().archivable("in between").1);
        }
        stage.archive.poll().await;
        assert_eq!(stage.archive.download().await, 0);
        stage.pass_time(5 * MINUTE);
    }
    for recording in &recordings[..5] {
        assert_eq!(stage.state(*recording), "pending");
    }
    end(&stage).await;
    stage.pass_time(2 * HOUR);
    assert_eq!(stage.archive.poll().await.outcome, PassOutcome::Complete);
    // Of a host that failed, a few are tried at first, and more with each one that succeeds.
    assert_eq!(stage.archive.download().await, 6);
    for recording in recordings {
        assert_eq!(stage.state(recording), "archived");
    }
    assert_eq!(stage.setting.count("failures"), "0");
}

/// The first retry waits for longer than a single run does; requests are sent again at once.
const PATIENT: &str = "[download]\nretry_initial = \"2m\"\nretry_max = \"1h\"\n";

#[tokio::test]
async fn an_hour_of_5xx_from_the_media_host_costs_no_recording_its_chances() {
    for status in [500, 502, 503, 504] {
        let down = async |stage: &Stage| {
            stage.space().inject(Rule::media(Action::error(status)));
        };
        let up = async |stage: &Stage| stage.space().clear_faults();
        an_hour_without(PATIENT, down, up).await;
    }
}

#[tokio::test]
async fn an_hour_of_refused_and_reset_connections_costs_no_recording_its_chances() {
    let down = async |stage: &Stage| stage.space().refuse_connections(Origin::Media).await;
    let up = async |stage: &Stage| {
        let port = stage.space().accept_connections(Origin::Media).await;
        port.expect("the port");
    };
    an_hour_without(PATIENT, down, up).await;
    let down = async |stage: &Stage| {
        stage.space().inject(Rule::media(Action::Reset));
    };
    let up = async |stage: &Stage| stage.space().clear_faults();
    an_hour_without(PATIENT, down, up).await;
}

#[tokio::test]
async fn half_a_day_without_the_media_hosts_name_costs_no_recording_its_chances() {
    // Too long to be a name: no resolver is asked.
    let nowhere = format!("https://{}.invalid/a.mp4", "x".repeat(70));
    let stage = Stage::new(Options::default(), PATIENT).await;
    let (_, recording) = stage.space().archivable("lesson");
    stage.space().override_uri(recording, nowhere);
    stage.archive.poll().await;
    for _ in 0..6 {
        assert_eq!(stage.archive.download().await, 0);
        stage.pass_time(2 * HOUR);
    }
    assert_eq!(
        stage.setting.sql("SELECT state, attempts FROM queue"),
        "pending|6"
    );
    let error = stage.setting.sql("SELECT last_error FROM queue");
    assert!(error.contains("dns name"), "{error}");
    stage.space().unpatch(recording);
    assert_eq!(stage.archive.download().await, 1);
}

#[tokio::test]
async fn an_api_that_is_down_slow_or_nowhere_fails_passes_and_mints_but_no_recording() {
    let quick = "[signalwire]\nrequest_timeout = \"200ms\"\n\
                 [download]\nretry_initial = \"1ms\"\nretry_max = \"2ms\"\n";
    for action in [
        Action::error(500),
        Action::error(408),
        Action::Close,
        Action::Hold(Gate::new()),
    ] {
        let stage = Stage::new(Options::default(), quick).await;
        let session = stage.ended(MINUTE);
        let recording = stage
            .space()
            .add_recording(session, NewRecording::default());
        stage.archive.poll().await;
        stage.space().kill_links();
        stage.space().inject(Rule::api(action));
        let report = stage.archive.poll().await;
        assert_eq!(report.outcome, PassOutcome::Incomplete);
        let passing = async {
            // Time passes until the download is done: an attempt that was under way when the faults were
            // cleared may fail yet, and be due once more.
            loop {
                let failed = stage.setting.sql("SELECT max(attempts) FROM recording");
                if failed.parse::<u32>().expect("a number") >= 3 {
                    stage.space().clear_faults();
                }
                stage.clock.advance(Duration::from_secs(1));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let archived = tokio::select! {
            archived = stage.archive.download() => archived,
            () = passing => unreachable!(),
        };
        assert_eq!(archived, 1);
        assert_eq!(stage.state(recording), "archived");
    }
}

#[test]
fn an_api_without_an_address_fails_the_pass_and_names_no_more_than_its_path() {
    let setting = Setting::with(&format!(
        "[signalwire]\nbase_url = \"https://{}.invalid\"\n[download]\nretry_initial = \"1ms\"\n",
        "x".repeat(70)
    ));
    setting.once(1);
    let error = setting.sql("SELECT error FROM passes");
    assert!(
        error.starts_with("/api/video/room_sessions failed: "),
        "{error}"
    );
}
