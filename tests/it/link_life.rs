//! Links that expire: before the start, in mid-body, and by whatever clock is wrong.

use std::time::Duration;

use chrono::TimeDelta;
use fake_space::{Action, Gate, Media, Options, Rule, State};
use room_archiver::clock::Clock;

use super::harness::{MIB, MINUTE, Setting, Stage, media};

fn big(setting: &Setting) -> Media {
    let media = media(4 * MIB);
    setting.add_media(&media);
    media
}

#[tokio::test]
async fn a_transfer_outlives_its_link() {
    let setting = Setting::with("");
    let media = big(&setting);
    let stage = Stage::open(setting).await;
    stage.archive.poll().await;
    let gate = Gate::new();
    let stall = Rule::media(Action::StallAfter(2 * MIB, gate.clone())).once();
    stage.space().inject(stall);
    let expiring = async {
        gate.arrived(1).await;
        // Sent is not received: time must pass over a transfer that got on.
        while stage.setting.part_bytes() < MIB {
            tokio::task::yield_now().await;
        }
        stage.space().kill_links();
        stage.pass_time(16 * MINUTE);
        gate.open();
    };
    let (archived, ()) = tokio::join!(stage.archive.download(), expiring);
    assert_eq!(archived, 1);
    assert_eq!(
        stage.setting.sql("SELECT sha256 FROM archive"),
        media.sha256()
    );
    assert_eq!(
        (stage.setting.media_requests().len(), stage.setting.minted()),
        (1, 0)
    );
}

#[tokio::test]
async fn a_transfer_cut_after_its_link_died_goes_on_in_the_same_part_with_a_fresh_one() {
    let setting = Setting::with("");
    let media = big(&setting);
    let archive = setting.open(&Clock::system()).await;
    archive.poll().await;
    let dies = Action::after(State::kill_links);
    let cut = Rule::media(Action::CloseAfter(2 * MIB)).and(dies);
    setting.space.inject(cut.once());
    assert_eq!(archive.download().await, 1);
    assert_eq!(setting.sql("SELECT sha256 FROM archive"), media.sha256());
    let requests = setting.media_requests();
    assert_eq!((requests.len(), setting.minted()), (2, 1));
    let from = setting.sql("SELECT from_byte FROM attempts WHERE attempt = 2");
    assert_ne!(from, "0");
    let range = format!("bytes={from}-");
    assert_eq!(requests[1].range.as_deref(), Some(range.as_str()));
    // Another link, the same part: nothing came twice.
    assert_ne!(requests[0].raw_query, requests[1].raw_query);
    assert_eq!(
        setting.sql("SELECT sum(bytes) FROM attempts"),
        media.len().to_string()
    );
}

#[tokio::test]
async fn a_wall_clock_wrong_by_years_neither_wastes_a_link_nor_keeps_a_dead_one() {
    for days in [-3650, 3650] {
        let setting = Setting::with("");
        let stage = Stage::open(setting).await;
        stage.space().archivable("lesson");
        // The vendor's clock is right; ours is ten years off, from the start.
        stage
            .clock
            .set_wall(stage.space().now() + TimeDelta::days(days));
        stage.archive.poll().await;
        assert_eq!(stage.archive.download().await, 1, "{days} days");
        assert_eq!(stage.setting.minted(), 0, "the listing's link lives");
        stage.space().archivable("later");
        stage.archive.poll().await;
        stage.pass_time(16 * MINUTE);
        assert_eq!(stage.archive.download().await, 1, "{days} days");
        assert_eq!(stage.setting.minted(), 1, "the listing's link is dead");
        assert_eq!(stage.setting.media_requests().len(), 2, "and was not tried");
    }
}

#[tokio::test]
async fn a_short_lived_link_is_used_in_the_first_two_thirds_of_its_life() {
    for (age, minted) in [(35, 0), (45, 1)] {
        let stage = Stage::new(Options::default(), "[signalwire]\nmedia_ttl = \"1m\"\n").await;
        stage.space().archivable("lesson");
        stage.archive.poll().await;
        stage.pass_time(Duration::from_secs(age));
        assert_eq!(stage.archive.download().await, 1);
        assert_eq!(stage.setting.minted(), minted, "after {age} s");
    }
}

#[tokio::test]
async fn a_wall_clock_that_is_set_while_links_live_moves_no_expiry() {
    for days in [-3650, 3650] {
        let stage = Stage::new(Options::default(), "").await;
        stage.space().archivable("lesson");
        stage.archive.poll().await;
        stage
            .clock
            .set_wall(stage.clock.now() + TimeDelta::days(days));
        assert_eq!(stage.archive.download().await, 1, "{days} days");
        assert_eq!(stage.setting.minted(), 0);
        assert_eq!(stage.setting.media_requests().len(), 1);
    }
}

#[tokio::test]
async fn what_a_clock_that_ran_years_ahead_put_off_is_due_once_it_is_right() {
    let more = "[download]\nretry_initial = \"10m\"\n";
    let stage = Stage::new(Options::default(), more).await;
    let right = stage.clock.now();
    stage.clock.set_wall(right + TimeDelta::days(3650));
    let session = stage.ended(20 * MINUTE);
    let put_off = stage.recording(session, "completed");
    stage.space().inject(Rule::media(Action::error(500)));
    stage.archive.poll().await;
    assert_eq!(stage.archive.download().await, 0);
    assert_eq!(stage.state(put_off), "pending");
    stage.space().clear_faults();
    stage.clock.set_wall(right);
    // Neither the download nor the session's next listing waits ten years.
    let late = stage.recording(session, "completed");
    stage.archive.poll().await;
    assert_eq!(stage.archive.download().await, 2);
    assert_eq!(stage.state(late), "archived");
    // Ordinary waits are kept.
    let later = stage.recording(session, "completed");
    stage.archive.poll().await;
    assert_eq!(stage.known().len(), 2, "{later} waits for the next step");
    stage.pass_time(30 * MINUTE);
    stage.archive.poll().await;
    assert_eq!(stage.known().len(), 3);
}
