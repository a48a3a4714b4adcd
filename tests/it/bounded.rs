//! A year of trouble does not fill the disk: attempts, events and passes are kept within bounds.

use fake_space::Options;
use room_archiver::store::{Ending, Order, Retry, Tally};
use tokio_util::sync::CancellationToken;

use super::harness::{Setting, Stage};

#[tokio::test]
async fn the_last_20_attempts_of_each_recording_are_kept() {
    let stage = Stage::new(Options::default(), "").await;
    stage.space().archivable("lesson");
    stage.archive.poll().await;
    let (store, stop) = (&stage.archive.app.store, CancellationToken::new());
    let tally = Tally {
        error: Some("the media host answered 404".to_owned()),
        ..Tally::default()
    };
    for _ in 0..25 {
        let now = stage.clock.now();
        let claimed = store.claim(1, Order::OldestFirst, now, &stop).await;
        let claimed = claimed.expect("a database");
        let retry = Ending::Retry(Retry {
            at: now,
            waits_for: None,
            progress: false,
            doubt: None,
        });
        let ended = store.end_attempt(&claimed[0], &retry, &tally, now).await;
        ended.expect("a database");
    }
    let kept = "SELECT count(*), min(attempt), max(attempt) FROM attempts";
    assert_eq!(stage.setting.sql(kept), "20|6|25");
    assert_eq!(stage.setting.sql("SELECT attempts FROM queue"), "25");
    assert_eq!(stage.archive.download().await, 1);
    assert_eq!(stage.setting.sql(kept), "20|7|26");
}

#[test]
fn events_and_passes_are_forgotten_after_90_days_by_each_sweep_and_each_verification() {
    for (sweep, verify) in [
        ("* * * * * *", "0 0 4 1 1 *"),
        ("0 0 4 1 1 *", "* * * * * *"),
    ] {
        let mut setting = Setting::with("");
        setting.more =
            format!("[poll]\nsweep_schedule = \"{sweep}\"\n[verify]\nschedule = \"{verify}\"\n");
        assert_eq!(setting.run(&["once", "--sweep"]).status.code(), Some(0));
        let mut daemon = setting.daemon();
        daemon.line("poll complete");
        let old = |days: u32| format!("strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-{days} days')");
        setting.write_sql(&format!(
            "PRAGMA busy_timeout = 9000;
             INSERT INTO event (at, kind, text) VALUES ({}, 'damage', 'old'), ({}, 'damage', 'young');
             INSERT INTO pass (kind, started_at, outcome) VALUES ('poll', {}, 'incomplete')",
            old(91),
            old(89),
            old(91)
        ));
        setting.wait(|setting| setting.sql("SELECT group_concat(text) FROM events") == "young");
        setting.wait(|setting| {
            setting.sql("SELECT count(*) FROM passes WHERE outcome = 'incomplete'") == "0"
        });
        daemon.stop();
    }
}
