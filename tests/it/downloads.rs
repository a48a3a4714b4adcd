//! Links and the queue: which link is used, what follows its refusal, what is told to whom, and that a
//! transfer goes on where it was cut.

use std::time::Duration;

use fake_space::{Action, Gate, Media, NewRecording, Origin, Rule, Seen};
use room_archiver::clock::Clock;
use room_archiver::store::{Ending, Error, Landed, Order, Tally};
use tokio_util::sync::CancellationToken;

use super::harness::{MIB, Setting, media};

fn assert_whole(setting: &Setting, media: &Media) {
    assert_eq!(setting.sql("SELECT sha256 FROM archive"), media.sha256());
    assert!(setting.parts().is_empty());
}

#[tokio::test]
async fn the_listings_link_is_used_while_it_lives_and_replaced_when_it_has_expired() {
    let (setting, _) = Setting::of(NewRecording::completed(media(MIB)), "");
    let clock = Clock::manual(setting.space.now());
    let archive = setting.open(&clock).await;
    archive.poll().await;
    assert_eq!(archive.download().await, 1);
    assert_eq!(setting.minted(), 0);

    setting.space.archivable("later");
    archive.poll().await;
    let hour = Duration::from_hours(1);
    clock.advance(hour);
    setting.space.advance(hour);
    setting.space.clear_journal();
    assert_eq!(archive.download().await, 1);
    assert_eq!(setting.minted(), 1);
    // The dead link was not even tried.
    assert_eq!(setting.media_requests().len(), 1);
}

#[tokio::test]
async fn a_link_that_dies_before_its_time_is_replaced_at_once() {
    for status in [None, Some(401), Some(410)] {
        let media = media(MIB);
        let (setting, _) = Setting::of(NewRecording::completed(media.clone()), "");
        let archive = setting.polled().await;
        match status {
            None => setting.space.kill_links(),
            Some(status) => {
                let refuse = Rule::media(Action::error(status)).once();
                setting.space.inject(refuse);
            }
        }
        assert_eq!(archive.download().await, 1);
        assert_eq!(setting.minted(), 1);
        assert_eq!(
            setting.sql("SELECT count(*), max(outcome) FROM attempts"),
            "1|archived"
        );
        assert_whole(&setting, &media);
    }
}

#[tokio::test]
async fn links_that_are_refused_again_and_again_are_tried_again_later() {
    let (mut setting, _) = Setting::of(NewRecording::completed(media(MIB)), "");
    setting.more = "[download]\nretry_initial = \"10m\"".to_owned();
    let archive = setting.polled().await;
    setting.space.inject(Rule::media(Action::error(403)));
    assert_eq!(archive.download().await, 0);
    assert_eq!(setting.minted(), 1);
    assert_eq!(
        setting.sql("SELECT state, attempts, next_attempt_at > datetime('now') FROM queue"),
        "pending|1|1"
    );
    let error = setting.sql("SELECT last_error FROM queue");
    assert!(error.contains("refused a fresh link (HTTP 403)"), "{error}");
}

#[tokio::test]
async fn each_host_is_told_only_what_it_needs() {
    let (setting, _) = Setting::of(NewRecording::completed(media(MIB)), "");
    let archive = setting.polled().await;
    setting.space.kill_links();
    setting
        .space
        .inject(Rule::media(Action::ResetAfter(MIB / 2)).nth(2));
    assert_eq!(archive.download().await, 1);
    for seen in setting.space.journal() {
        let told = format!("{seen:?}");
        match seen.origin {
            Origin::Api => {
                assert!(seen.authorization.is_some(), "{told}");
                assert!(seen.path.starts_with("/api/video/"), "{told}");
            }
            Origin::Media => {
                assert_eq!(
                    (&seen.authorization, &seen.referer),
                    (&None, &None),
                    "{told}"
                );
                assert_eq!(seen.header("cookie"), None);
                assert_eq!(seen.accept_encoding.as_deref(), Some("identity"), "{told}");
                assert!(!told.contains(&setting.space.token()), "{told}");
            }
        }
    }
}

#[tokio::test]
async fn a_cut_transfer_goes_on_from_the_watermark() {
    let gate = Gate::new();
    for cut in [
        Action::ResetAfter(2 * MIB),
        Action::CloseAfter(2 * MIB),
        Action::StallAfter(2 * MIB, gate.clone()),
    ] {
        let media = media(4 * MIB);
        let (mut setting, _) = Setting::of(NewRecording::completed(media.clone()), "");
        setting.more = "[download]\nstall_timeout = \"300ms\"".to_owned();
        let archive = setting.polled().await;
        setting.space.inject(Rule::media(cut).once());
        assert_eq!(archive.download().await, 1);
        assert_whole(&setting, &media);
        let from = setting.sql("SELECT from_byte FROM attempts WHERE attempt = 2");
        let seen = &setting.media_requests()[1];
        assert_eq!(seen.range.as_deref(), Some(&*format!("bytes={from}-")));
        assert_eq!(seen.if_range.as_deref(), Some(media.etag()));
        assert!(from.parse::<u64>().expect("a number") > 0);
        assert_eq!(
            setting
                .sql("SELECT outcome, http_status, error IS NULL FROM attempts ORDER BY attempt"),
            "retry|200|0\narchived|206|1"
        );
        // Nothing was fetched twice.
        assert_eq!(
            setting.sql("SELECT sum(bytes) FROM attempts"),
            media.len().to_string()
        );
    }
}

#[tokio::test]
async fn never_more_transfers_at_once_than_configured() {
    let setting = Setting::with("[download]\nconcurrency = 2");
    for number in 0..6 {
        setting.space.archivable(&format!("room {number}"));
    }
    let gate = Gate::new();
    setting
        .space
        .inject(Rule::media(Action::Hold(gate.clone())));
    let archive = setting.polled().await;
    let watching = async {
        gate.arrived(2).await;
        // A third would have been claimed with these two: rows tell without a race.
        assert_eq!(archive.app.board.active().len(), 2);
        let counts = setting.sql("SELECT state, count(*) FROM queue GROUP BY state ORDER BY state");
        assert_eq!(counts, "downloading|2\npending|4");
        assert_eq!(setting.space.counters().media_requests, 2);
        gate.open();
    };
    let (archived, ()) = tokio::join!(archive.download(), watching);
    assert_eq!(archived, 6);
}

#[tokio::test]
async fn an_outage_never_makes_a_recording_fail() {
    let media = media(MIB);
    let (mut setting, _) = Setting::of(NewRecording::completed(media.clone()), "");
    setting.more = "[download]\nretry_initial = \"1ms\"\nretry_max = \"2ms\"".to_owned();
    let archive = setting.polled().await;
    for status in [500, 503, 504] {
        let outage = Rule::media(Action::s3_error(status, "InternalError")).times(2);
        setting.space.inject(outage);
    }
    setting
        .space
        .inject(Rule::media(Action::Reset).from(4).times(1));
    assert_eq!(archive.download().await, 1);
    let attempts =
        setting.sql("SELECT count(*), count(*) FILTER (WHERE outcome = 'retry') FROM attempts");
    let (all, retried) = attempts.split_once('|').expect("two columns");
    let number = |text: &str| text.parse::<u32>().expect("a number");
    assert!(number(all) > 2, "{attempts}");
    assert_eq!(number(all), number(retried) + 1);
    assert_whole(&setting, &media);
}

#[tokio::test]
async fn refused_connections_are_waited_out() {
    let media = media(MIB);
    let (mut setting, _) = Setting::of(NewRecording::completed(media.clone()), "");
    setting.more = "[download]\nretry_initial = \"1ms\"\nretry_max = \"5ms\"".to_owned();
    let archive = setting.polled().await;
    setting.space.refuse_connections(Origin::Media).await;
    let repair = async {
        let failed = |seen: &[Seen]| {
            let minted = seen
                .iter()
                .filter(|seen| seen.path.contains("/room_recordings/"));
            minted.count() >= 2
        };
        setting.space.wait_for(failed).await;
        setting
            .space
            .accept_connections(Origin::Media)
            .await
            .expect("the port");
    };
    let (archived, ()) = tokio::join!(archive.download(), repair);
    assert_eq!(archived, 1);
    assert_whole(&setting, &media);
}

#[tokio::test]
async fn an_ending_that_the_database_refuses_spoils_none_that_are_written_with_it() {
    let setting = Setting::with("");
    for _ in 0..5 {
        setting.space.archivable("lesson");
    }
    let archive = setting.polled().await;
    let (store, now) = (&archive.app.store, setting.space.now());
    let claims = store
        .claim(5, Order::OldestFirst, now, &CancellationToken::new())
        .await
        .expect("claims");
    let landed = |number: usize, sha256: String| {
        Ending::Archived(Landed {
            path: format!("lesson/{number}.mp4"),
            bytes: 1,
            sha256,
            adopted: false,
            concerns: Vec::new(),
        })
    };
    let tally = Tally::default();
    // A CHECK refuses the third, in the transaction that is to write down all but the first.
    let ended = claims.iter().enumerate().map(async |(number, claim)| {
        let digits = if number == 2 { 63 } else { 64 };
        let ending = landed(number, "a".repeat(digits));
        store.end_attempt(claim, &ending, &tally, now).await
    });
    let ended = futures::future::join_all(ended).await;
    let written: Vec<bool> = ended.iter().map(Result::is_ok).collect();
    assert_eq!(written, [true, true, false, true, true]);
    let error = ended[2].as_ref().expect_err("an error");
    assert!(!matches!(error, Error::Guard { .. }), "{error:?}");
    assert_eq!(setting.count("archive"), "4");
    let left = setting.sql("SELECT recording_id, state FROM queue");
    assert_eq!(left, format!("{}|downloading", claims[2].id));
    let attempts = "SELECT outcome, count(*) FROM attempts GROUP BY outcome";
    assert_eq!(setting.sql(attempts), "archived|4\nrunning|1");
}

#[tokio::test]
async fn attempts_that_end_together_fail_each_for_itself() {
    let setting = Setting::with("");
    for _ in 0..6 {
        setting.space.archivable("lesson");
    }
    let archive = setting.polled().await;
    let (store, now) = (&archive.app.store, setting.space.now());
    let claims = store
        .claim(6, Order::OldestFirst, now, &CancellationToken::new())
        .await
        .expect("claims");
    assert_eq!(claims.len(), 6);
    let (stopped, tally) = (Ending::Stopped, Tally::default());
    let end = |claim| store.end_attempt(claim, &stopped, &tally, now);
    end(&claims[2]).await.expect("an end");
    // All are asked for before the first transaction is over; the third is not being downloaded any more.
    let ended = futures::future::join_all(claims.iter().map(end)).await;
    let ended: Vec<bool> = ended.iter().map(Result::is_ok).collect();
    assert_eq!(ended, [true, true, false, true, true, true]);
    assert_eq!(
        setting.sql("SELECT count(*) FROM attempts WHERE outcome = 'stopped'"),
        "6"
    );
    assert_eq!(
        setting.sql("SELECT count(*) FROM queue WHERE state = 'pending'"),
        "6"
    );
    archive.close().await;
}

#[tokio::test]
async fn a_database_error_in_the_end_of_one_attempt_leaves_those_that_end_with_it_be() {
    let setting = Setting::with("");
    for _ in 0..4 {
        setting.space.archivable("lesson");
    }
    let archive = setting.polled().await;
    let (store, now) = (&archive.app.store, setting.space.now());
    let claims = store
        .claim(4, Order::OldestFirst, now, &CancellationToken::new())
        .await
        .expect("claims");
    // As many bytes as no column holds: SQLite refuses the row, and with it the whole transaction.
    let impossible = Tally {
        bytes: u64::MAX,
        ..Tally::default()
    };
    let (stopped, possible) = (Ending::Stopped, Tally::default());
    let ends = claims.iter().enumerate().map(|(number, claim)| {
        let tally = if number == 1 { &impossible } else { &possible };
        store.end_attempt(claim, &stopped, tally, now)
    });
    let ended = futures::future::join_all(ends).await;
    for (number, ended) in ended.into_iter().enumerate() {
        match ended {
            Ok(()) => assert_ne!(number, 1),
            Err(error) => {
                assert_eq!(number, 1, "{error}");
                assert!(matches!(error, Error::Sqlite { .. }), "{error:?}");
            }
        }
    }
    let states = setting.sql("SELECT state, count(*) FROM queue GROUP BY state");
    assert_eq!(states, "downloading|1\npending|3");
    archive.close().await;
}
