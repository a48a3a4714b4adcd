//! A standstill of any kind costs a few tries and no more, and ends by itself when its reason does.

use std::time::Duration;

use fake_space::{Action, BulkSpec, Gate, Options, Origin, Rule, Space};

use super::harness::{SECOND, Setting, Stage};

/// Recordings that are due.
const DUE: u64 = 300;
/// Two minutes, a second at a time.
const STEPS: usize = 120;

async fn stage(more: &str) -> Stage {
    let stage = Stage::new(Options::default(), more).await;
    let start = stage.space().now() - Duration::from_hours(100);
    stage.space().add_bulk(BulkSpec::new(DUE, 1, start));
    stage.archive.sweep().await;
    assert_eq!(stage.setting.count("queue"), DUE.to_string());
    stage
}

async fn two_minutes(stage: &Stage) {
    for _ in 0..STEPS {
        stage.archive.download().await;
        stage.pass_time(SECOND);
    }
}

/// Two minutes of it cost few tries; two minutes after its end everything is archived.
async fn costs_little_and_ends_by_itself(
    what: &str,
    more: &str,
    begin: impl AsyncFn(&Stage),
    end: impl AsyncFn(&Stage),
) {
    let stage = stage(more).await;
    stage.space().clear_journal();
    begin(&stage).await;
    two_minutes(&stage).await;
    let attempts = stage.setting.count("attempts");
    let attempts: usize = attempts.parse().expect("a number");
    assert!((2..=100).contains(&attempts), "{what}: {attempts} attempts");
    assert!(
        stage.setting.minted() <= 100,
        "{what}: {} links",
        stage.setting.minted()
    );
    assert_eq!(stage.setting.count("archive"), "0");
    let lost = stage.setting.sql("SELECT DISTINCT state FROM queue");
    assert_eq!(lost, "pending", "{what}");
    end(&stage).await;
    two_minutes(&stage).await;
    assert_eq!(
        stage.setting.count("archive"),
        DUE.to_string(),
        "{what}: {}",
        stage.setting.sql("SELECT DISTINCT last_error FROM queue")
    );
    assert_eq!(stage.setting.count("pauses"), "0", "{what}");
}

async fn of_media(what: &str, more: &str, action: Action) {
    let begin = async |stage: &Stage| {
        stage.space().inject(Rule::media(action.clone()));
    };
    let end = async |stage: &Stage| stage.space().clear_faults();
    costs_little_and_ends_by_itself(what, more, begin, end).await;
}

#[tokio::test]
async fn a_media_host_that_refuses_connections() {
    let begin = async |stage: &Stage| stage.space().refuse_connections(Origin::Media).await;
    let end = async |stage: &Stage| {
        let accepted = stage.space().accept_connections(Origin::Media);
        accepted.await.expect("the port");
    };
    costs_little_and_ends_by_itself("refused connections", "", begin, end).await;
}

#[tokio::test]
async fn a_media_host_that_resets_connections_or_answers_5xx() {
    of_media("reset", "", Action::Reset).await;
    of_media("503", "", Action::error(503)).await;
}

#[tokio::test]
async fn a_media_host_that_refuses_every_link() {
    for status in [401, 403, 404] {
        of_media(&status.to_string(), "", Action::error(status)).await;
    }
    of_media("304", "", Action::Status(304)).await;
}

#[tokio::test]
async fn a_media_host_that_sends_pages() {
    of_media("a page", "", Action::html(200)).await;
    let nowhere = Action::Redirect(302, "http://media.invalid/x".to_owned());
    of_media("a redirect that leads astray", "", nowhere).await;
}

#[tokio::test]
async fn a_media_host_that_says_nothing() {
    let gate = Gate::new();
    let more = "[download]\nstall_timeout = \"150ms\"\n";
    of_media("silence", more, Action::Hold(gate)).await;
}

#[tokio::test]
async fn an_api_that_refuses_every_link() {
    for status in [422, 500] {
        let begin = async |stage: &Stage| {
            stage.space().kill_links();
            stage
                .space()
                .inject(Rule::single_recordings(Action::error(status)));
        };
        let end = async |stage: &Stage| stage.space().clear_faults();
        costs_little_and_ends_by_itself(&format!("links: {status}"), "", begin, end).await;
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_used() {
    let rooms = |stage: &Stage| {
        (0..100)
            .map(|n| stage.setting.recordings().join(format!("bulk-{n}")))
            .collect::<Vec<_>>()
    };
    // A file where each room's directory should be.
    let begin = async |stage: &Stage| {
        for room in rooms(stage) {
            std::fs::write(room, "").expect("a file");
        }
    };
    let end = async |stage: &Stage| {
        for room in rooms(stage) {
            std::fs::remove_file(room).expect("a file");
        }
    };
    costs_little_and_ends_by_itself("taken places", "", begin, end).await;
}

#[tokio::test]
async fn one_host_that_fails_holds_up_no_other() {
    let stage = stage("[download]\nretry_initial = \"1h\"\n").await;
    let media = stage.space().media_url();
    let other = media.replace("127.0.0.1", "127.0.0.2");
    let (_, elsewhere) = stage.space().archivable("elsewhere");
    stage
        .space()
        .map_uri(elsewhere, move |uri| uri.replace(&media, &other));
    stage.archive.poll().await;
    // Nothing listens there.
    two_minutes(&stage).await;
    assert_eq!(stage.setting.count("archive"), DUE.to_string());
    assert_eq!(stage.state(elsewhere), "pending");
}

#[tokio::test]
async fn a_host_that_failed_is_forgotten_when_nothing_is_left_to_download_from_it() {
    let stage = Stage::new(Options::default(), "[download]\nretry_initial = \"2m\"\n").await;
    let (_, elsewhere) = stage.space().archivable("elsewhere");
    // Nothing listens there.
    stage.space().map_uri(elsewhere, |_| {
        "http://127.0.0.2:1/recording.mp4?token=1".to_owned()
    });
    stage.archive.sweep().await;
    for _ in 0..5 {
        stage.archive.download().await;
        stage.pass_time(Duration::from_mins(10));
    }
    assert_eq!(stage.archive.failing_hosts(), ["127.0.0.2:1"]);
    stage.space().delete_recording(elsewhere);
    stage.archive.sweep().await;
    for _ in 0..3 {
        stage.archive.download().await;
        stage.pass_time(Duration::from_mins(10));
    }
    assert_eq!(stage.state(elsewhere), "lost");
    assert!(stage.archive.failing_hosts().is_empty());
}

/// Two minutes in which time goes on by itself.
async fn two_minutes_go_by(stage: &Stage) {
    let time = async {
        for _ in 0..STEPS {
            tokio::time::sleep(Duration::from_millis(20)).await;
            stage.pass_time(SECOND);
            stage.archive.app.wake.wake();
        }
    };
    let downloads = async {
        loop {
            stage.archive.download().await;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = time => {}
        () = downloads => {}
    }
}

/// Recordings that are refused for ever.
fn refused(space: &Space, count: usize) {
    for _ in 0..count {
        let (_, recording) = space.archivable("lesson");
        space.inject(Rule::media(Action::error(404)).of(recording));
    }
}

fn ten_good(space: &Space) {
    for _ in 0..10 {
        space.archivable("lesson");
    }
}

#[tokio::test]
async fn older_recordings_that_are_refused_for_ever_hold_up_no_newer_ones() {
    for bad in [9, 30, 200] {
        let stage = Stage::new(Options::default(), "[download]\nretry_initial = \"30s\"\n").await;
        refused(stage.space(), bad);
        stage.pass_time(SECOND);
        ten_good(stage.space());
        stage.archive.sweep().await;
        two_minutes_go_by(&stage).await;
        let archived = stage.setting.count("archive");
        assert_eq!(archived, "10", "beside {bad}");
        // What is refused for a reason of its own is not tried again at each success of another.
        let most = "SELECT max(n) FROM (SELECT count(*) AS n FROM attempts GROUP BY recording_id)";
        let most: u64 = stage.setting.sql(most).parse().expect("a number");
        assert!(most <= 5, "{most} attempts at one of {bad}");
    }
}

#[test]
fn a_single_run_archives_what_is_fine_beside_older_recordings_that_are_refused() {
    let setting = Setting::with("");
    refused(&setting.space, 12);
    ten_good(&setting.space);
    setting.once(4);
    assert_eq!(setting.count("archive"), "10");
}
