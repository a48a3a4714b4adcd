//! A year of trouble does not fill the disk: attempts, events and passes are kept within bounds.

use std::time::Duration;

use fake_space::Options;
use room_archiver::links::Links;
use room_archiver::model::UnreadLink;
use room_archiver::store::{Ending, Order, Retry, Tally};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::harness::{MINUTE, SECOND, Setting, Stage};

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
            "INSERT INTO event (at, kind, text) VALUES ({}, 'damage', 'old'), ({}, 'damage', 'young');
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

#[test]
fn links_of_listings_are_kept_up_to_a_number_and_no_longer_than_they_live() {
    const MOST: u128 = 2048;
    let links = Links::default();
    let id = |number: u128| Uuid::from_u128(number).into();
    let uri = "https://media.example.com/a".to_owned();
    let offer = |number, at| {
        links.offer(
            id(number),
            UnreadLink::new(uri.clone(), at, MINUTE, None),
            at,
        );
    };
    let held = |number, at| links.take(id(number), Duration::ZERO, at).is_some();
    for number in 0..MOST {
        offer(number, Duration::ZERO);
    }
    // There is no room for another, but for a newer one of a recording that has one.
    offer(MOST, SECOND);
    assert!(!held(MOST, SECOND));
    offer(5, 30 * SECOND);
    assert_eq!(
        links.take(id(5), 59 * SECOND, 31 * SECOND).map(drop),
        Some(())
    );
    offer(5, 30 * SECOND);
    // Those that are over make room, those that live stay.
    offer(MOST, MINUTE);
    assert!(held(MOST, MINUTE) && held(5, MINUTE) && !held(6, MINUTE));
    for number in 0..MOST {
        offer(number, 2 * MINUTE);
    }
    offer(MOST, 2 * MINUTE);
    assert!(!held(MOST, 2 * MINUTE), "as many as before, not one more");
}
