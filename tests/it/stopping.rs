//! Stops in a transfer: graceful ones keep the part, kills splice nothing, and the next start goes on.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use fake_space::{Action, Gate, Media, NewRecording, Origin, Rule, Seen};
use room_archiver::clock::Clock;
use room_archiver::store::{Ending, Order, Tally};

use super::harness::{MIB, Setting, media};

fn assert_whole(setting: &Setting, media: &Media) {
    assert_eq!(setting.sql("SELECT sha256 FROM archive"), media.sha256());
    assert!(setting.parts().is_empty());
}

#[tokio::test]
async fn a_graceful_stop_keeps_the_part_and_the_next_start_goes_on_with_a_fresh_link() {
    let media = media(4 * MIB);
    let (setting, recording) = Setting::of(NewRecording::completed(media.clone()), "");
    let gate = Gate::new();
    let stall = Rule::media(Action::StallAfter(3 * MIB, gate.clone())).once();
    setting.space.inject(stall);
    let mut running = setting.daemon();
    let part = setting
        .recordings()
        .join(format!(".partial/{recording}.part"));
    // What was handed to the network may not all have arrived yet; some of it has to.
    setting.wait(|_| std::fs::metadata(&part).is_ok_and(|part| part.len() > 0));
    running.stop();
    let kept = std::fs::metadata(&part).expect("the part").len();
    assert!(kept > 0);
    let mode = std::fs::metadata(&part).expect("the part").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    assert_eq!(
        setting.sql("SELECT outcome, bytes FROM attempts"),
        format!("stopped|{kept}")
    );
    assert_eq!(setting.sql("SELECT state FROM queue"), "pending");

    setting.space.advance(Duration::from_hours(24));
    setting.space.clear_journal();
    setting.once(0);
    let seen = setting.media_requests();
    assert_eq!(seen[0].range.as_deref(), Some(&*format!("bytes={kept}-")));
    assert_eq!(seen.len(), 1);
    assert_whole(&setting, &media);
}

#[tokio::test]
async fn after_a_kill_nothing_is_spliced_that_was_not_durable() {
    let media = media(4 * MIB);
    let (setting, _) = Setting::of(NewRecording::completed(media.clone()), "");
    let gate = Gate::new();
    let stall = Rule::media(Action::StallAfter(3 * MIB, gate.clone())).once();
    setting.space.inject(stall);
    let mut running = setting.daemon();
    let sent = |seen: &[Seen]| {
        seen.iter()
            .any(|seen| seen.is_media() && seen.body_bytes_sent >= 3 * MIB)
    };
    setting.space.wait_for(sent).await;
    running.kill();
    setting.space.clear_journal();
    setting.once(0);
    // No watermark was reached: the whole is asked for.
    assert_eq!(setting.media_requests()[0].range, None);
    assert_eq!(
        setting.sql("SELECT outcome FROM attempts ORDER BY attempt"),
        "interrupted\narchived"
    );
    assert_whole(&setting, &media);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_slow_answer() {
    for origin in [Origin::Api, Origin::Media] {
        let (setting, _) = Setting::of(NewRecording::completed(media(MIB)), "");
        let archive = setting.polled().await;
        let gate = Gate::new();
        if origin == Origin::Api {
            setting.space.kill_links();
            let hold = Rule::single_recordings(Action::Hold(gate.clone()));
            setting.space.inject(hold);
        } else {
            setting
                .space
                .inject(Rule::media(Action::Hold(gate.clone())));
        }
        let stop = archive.app.stop.clone();
        let stopping = async {
            gate.arrived(1).await;
            stop.cancel();
        };
        let limit = Duration::from_secs(5);
        let (archived, ()) =
            tokio::time::timeout(limit, async { tokio::join!(archive.download(), stopping) })
                .await
                .expect("a prompt stop");
        assert_eq!(archived, 0);
        assert_eq!(
            setting.sql("SELECT state, attempts FROM queue"),
            "pending|1"
        );
        assert_eq!(setting.sql("SELECT outcome FROM attempts"), "stopped");
    }
}

#[tokio::test]
async fn a_stop_does_not_wait_for_the_bandwidth_limit() {
    let (mut setting, _) = Setting::of(NewRecording::completed(media(MIB)), "");
    setting.more = "[download]\nbandwidth_limit = \"16KiB\"".to_owned();
    let archive = setting.polled().await;
    let stop = archive.app.stop.clone();
    let stopping = async {
        let sent = |seen: &[Seen]| {
            seen.iter()
                .any(|seen| seen.is_media() && seen.body_bytes_sent > 0)
        };
        setting.space.wait_for(sent).await;
        stop.cancel();
    };
    let both = async { tokio::join!(archive.download(), stopping) };
    tokio::time::timeout(Duration::from_secs(5), both)
        .await
        .expect("a prompt stop");
    assert_eq!(setting.sql("SELECT outcome FROM attempts"), "stopped");
}

#[tokio::test]
async fn what_a_stop_has_ended_is_not_claimed_again() {
    let setting = Setting::with("");
    setting.space.archivable("lesson");
    let archive = setting.open(&Clock::system()).await;
    archive.poll().await;
    let (store, now) = (&archive.app.store, archive.app.clock.now());
    let claim = async || {
        store
            .claim(1, Order::OldestFirst, now, &archive.app.stop)
            .await
            .expect("a database")
    };
    let claimed = claim().await;
    assert_eq!(claimed.len(), 1);
    // The stop comes between the queue's look at it and the claim: what it ended is due again at once.
    archive.app.stop.cancel();
    store
        .end_attempt(&claimed[0], &Ending::Stopped, &Tally::default(), now)
        .await
        .expect("a database");
    assert_eq!(claim().await, []);
    assert_eq!(
        setting.sql("SELECT group_concat(outcome) FROM attempts"),
        "stopped"
    );
    archive.close().await;
}
