//! Discovery: nothing is missed, whatever the order of the lists, and a quiet poll is cheap.

use std::time::Duration;

use chrono::TimeDelta;
use fake_space::{
    Action, Media, NewRecording, NewSession, NextLinks, Options, Order, Patch, Rule, Seen, Space,
};
use room_archiver::clock::Clock;
use room_archiver::store::PassOutcome;
use uuid::Uuid;

use super::harness::Setting;

/// Sessions that ended long ago, an hour apart, each with one recording.
fn settled(space: &Space, count: i32) {
    for age in 1..=count {
        session(space, TimeDelta::hours(48 + i64::from(age)));
    }
}

fn session(space: &Space, age: TimeDelta) -> (Uuid, Uuid) {
    let start = space.now() - age;
    let session = NewSession::completed("lesson").at(start, Some(start + TimeDelta::minutes(30)));
    let session = space.add_session(session);
    let media = Media::fixture("three-seconds");
    (
        session,
        space.add_recording(session, NewRecording::completed(media)),
    )
}

fn clock(setting: &Setting) -> Clock {
    Clock::manual(setting.space.now())
}

fn listings(seen: &[Seen]) -> usize {
    seen.iter()
        .filter(|seen| seen.path.ends_with("/recordings"))
        .count()
}

#[tokio::test]
async fn every_recording_is_found_in_any_order_and_any_form_of_links() {
    for (order, next_links) in [
        (Order::NewestFirst, NextLinks::Absolute),
        (Order::OldestFirst, NextLinks::Relative),
        (Order::Shuffled(7), NextLinks::Absolute),
        (Order::Shuffled(8), NextLinks::Relative),
    ] {
        let setting = Setting::new(Options {
            order,
            next_links,
            page_size_cap: 3,
            ..Options::default()
        });
        settled(&setting.space, 10);
        let archive = setting.open(&clock(&setting)).await;
        let report = archive.poll().await;
        assert_eq!(
            (report.outcome, report.counts.recordings_new),
            (PassOutcome::Complete, 10)
        );
        // Late ones, among the oldest and the newest.
        session(&setting.space, TimeDelta::hours(3));
        session(&setting.space, TimeDelta::hours(90));
        archive.poll().await;
        archive.sweep().await;
        assert_eq!(
            archive
                .counts()
                .await
                .of(room_archiver::model::State::Pending),
            12,
            "{order:?}"
        );
        assert_eq!(archive.sweep().await.counts.recordings_new, 0);
        archive.close().await;
    }
}

#[tokio::test]
async fn a_quiet_poll_of_newest_first_lists_asks_once_and_of_others_walks_on() {
    let setting = Setting::new(Options {
        page_size_cap: 5,
        ..Options::default()
    });
    settled(&setting.space, 50);
    let archive = setting.open(&clock(&setting)).await;
    // Settled by the sweep, without being listed one by one.
    let sweep = archive.sweep().await;
    assert_eq!(sweep.counts.requests, 20);
    assert_eq!(listings(&setting.space.journal()), 0);
    // One that ends the walk must be older than what is settled.
    session(&setting.space, TimeDelta::hours(1));
    archive.poll().await;
    setting.space.clear_journal();
    let quiet = archive.poll().await;
    assert!(quiet.counts.requests <= 6, "{quiet:?}");
    let newest_first = quiet.counts.sessions_seen;
    setting.space.set_order(Order::OldestFirst);
    let walked = archive.poll().await;
    assert_eq!((newest_first < 51, walked.counts.sessions_seen), (true, 51));
    archive.close().await;
}

#[tokio::test]
async fn late_and_slow_recordings_of_long_sessions_are_found() {
    let setting = Setting::new(Options::default());
    let start = setting.space.now() - TimeDelta::hours(3);
    let running = setting
        .space
        .add_session(NewSession::running("hearing").at(start, None));
    let clock = clock(&setting);
    let archive = setting.open(&clock).await;
    archive.poll().await;
    let step = |hours: u64| {
        setting.space.advance(Duration::from_hours(hours));
        clock.advance(Duration::from_hours(hours));
    };
    step(5);
    let media = Media::fixture("one-second-faststart");
    let new = || NewRecording::completed(media.clone()).status("recording");
    let slow = setting.space.add_recording(running, new());
    assert_eq!(archive.poll().await.counts.recordings_new, 1);
    setting.space.end_session(running);
    archive.poll().await;
    step(20);
    // A second one, hours after the end; the first takes days.
    let late = setting
        .space
        .add_recording(running, NewRecording::completed(media.clone()));
    assert_eq!(archive.poll().await.counts.recordings_new, 1);
    setting.space.set_status(slow, "processing");
    for _ in 0..12 {
        step(6);
        archive.poll().await;
    }
    setting.space.complete(slow);
    step(6);
    archive.poll().await;
    assert_eq!(archive.download().await, 2);
    step(30);
    archive.poll().await;
    archive.close().await;
    assert_eq!(setting.sql("SELECT count(*) FROM archive"), "2", "{late}");
    assert_eq!(
        setting.sql("SELECT complete, settled_at IS NOT NULL FROM sessions"),
        "1|1"
    );
    assert_eq!(setting.sql("SELECT count(*) FROM gaps"), "0");
}

#[tokio::test]
async fn rows_that_shift_between_pages_are_found_by_the_next_pass() {
    let setting = Setting::new(Options {
        page_size_cap: 3,
        ..Options::default()
    });
    settled(&setting.space, 9);
    let (first, _) = session(&setting.space, TimeDelta::hours(2));
    let delete = Action::after(move |space| {
        space.delete_session(first);
    });
    setting.space.inject(Rule::sessions(delete).page(0).once());
    let archive = setting.open(&clock(&setting)).await;
    archive.poll().await;
    archive.sweep().await;
    archive.close().await;
    let listed = setting.sql("SELECT count(*) FROM sessions WHERE recordings_listed = 1");
    assert!(listed == "9" || listed == "10", "{listed}");
}

#[tokio::test]
async fn a_foreign_next_link_is_refused_and_gets_no_credentials() {
    let setting = Setting::new(Options {
        page_size_cap: 2,
        ..Options::default()
    });
    let other = Space::start(Options::default()).await.expect("a space");
    settled(&setting.space, 5);
    let foreign = format!("{}/api/video/room_sessions?page_number=1", other.api_url());
    setting.space.inject(Rule::sessions(Action::next(foreign)));
    let archive = setting.open(&clock(&setting)).await;
    let report = archive.poll().await;
    assert_eq!(report.outcome, PassOutcome::Incomplete);
    assert_eq!(report.counts.recordings_new, 2, "what came before stays");
    assert!(other.journal().is_empty());
    setting.space.clear_faults();
    assert_eq!(
        archive.poll().await.counts.recordings_new,
        3,
        "an incomplete walk moves no horizon"
    );
    archive.close().await;
}

#[tokio::test]
async fn a_repeated_next_link_ends_the_pass_as_incomplete() {
    let setting = Setting::new(Options {
        page_size_cap: 2,
        ..Options::default()
    });
    settled(&setting.space, 5);
    setting.space.inject(Rule::sessions(Action::repeat_next()));
    let archive = setting.open(&clock(&setting)).await;
    assert_eq!(archive.poll().await.outcome, PassOutcome::Incomplete);
    archive.close().await;
}

#[tokio::test]
async fn one_bad_item_spoils_no_other_and_odd_fields_no_recording() {
    let setting = Setting::new(Options::default());
    settled(&setting.space, 4);
    let (session, odd) = session(&setting.space, TimeDelta::hours(50));
    setting
        .space
        .patch(odd, Patch::set("started_at", "yesterday"));
    setting.space.patch(odd, Patch::set("duration", "long"));
    setting.space.patch(odd, Patch::set("size_in_bytes", -1));
    setting.space.patch(odd, Patch::set("surprise", true));
    setting.space.patch(odd, Patch::remove("cost_in_dollars"));
    let (_, nameless) = self::session(&setting.space, TimeDelta::hours(51));
    setting
        .space
        .patch(nameless, Patch::set("id", "../../etc/passwd"));
    let archive = setting.open(&clock(&setting)).await;
    let report = archive.poll().await;
    assert_eq!(
        (report.outcome, report.counts.recordings_new),
        (PassOutcome::Complete, 5)
    );
    assert!(
        report
            .error
            .is_some_and(|error| error.contains("set aside"))
    );
    assert_eq!(archive.download().await, 5);
    archive.close().await;
    assert_eq!(
        setting.sql(&format!(
            "SELECT count(*) FROM archive WHERE session_id = '{session}'"
        )),
        "1"
    );
    assert_eq!(
        setting.sql("SELECT count(*) FROM events WHERE kind = 'set_aside'"),
        "1"
    );
}

#[tokio::test]
async fn the_vendors_object_is_kept_whole_but_for_its_link() {
    let setting = Setting::new(Options::default());
    let (_, recording) = session(&setting.space, TimeDelta::hours(50));
    let archive = setting.open(&clock(&setting)).await;
    archive.poll().await;
    let kept = archive
        .app
        .store
        .detail(recording.to_string().parse().expect("an id"))
        .await;
    let kept = kept.expect("a database").expect("a row").upstream;
    let mut told = setting
        .space
        .recording_json(recording)
        .expect("a recording");
    told.as_object_mut().expect("an object").remove("uri");
    assert_eq!(kept, told);
    archive.close().await;
}

#[tokio::test]
async fn what_is_gone_upstream_is_lost_only_if_it_was_never_archived() {
    let setting = Setting::new(Options::default());
    let (_, archived) = session(&setting.space, TimeDelta::hours(50));
    let archive = setting.open(&clock(&setting)).await;
    archive.sweep().await;
    archive.download().await;
    let (_, pending) = session(&setting.space, TimeDelta::hours(49));
    archive.sweep().await;
    setting.space.delete_recording(archived);
    setting.space.delete_recording(pending);
    archive.sweep().await;
    archive.close().await;
    assert_eq!(
        setting.sql("SELECT recording_id, upstream_gone_at IS NOT NULL FROM archive"),
        format!("{archived}|1")
    );
    assert_eq!(
        setting.sql("SELECT recording_id, state, reason FROM failures"),
        format!("{pending}|lost|gone upstream before it was archived")
    );
    assert_eq!(setting.files().len(), 1);
}

#[tokio::test]
async fn the_filter_leaves_out_and_a_changed_one_takes_in() {
    let mut setting = Setting::new(Options::default());
    session(&setting.space, TimeDelta::hours(50));
    setting.more = "[filter]\nexclude_rooms = [\"less*\"]\n".to_owned();
    let archive = setting.open(&clock(&setting)).await;
    archive.poll().await;
    assert_eq!(archive.download().await, 0);
    archive.close().await;
    assert_eq!(
        setting.run(&["once"]).status.code(),
        Some(0),
        "nothing wanted is missing"
    );
    setting.more.clear();
    let archive = setting.open(&clock(&setting)).await;
    assert_eq!(archive.download().await, 1);
    archive.close().await;
}
