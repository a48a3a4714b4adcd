//! Discovery: nothing is missed, whatever the order and the timing, and quiet polls are cheap.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use fake_space::{Action, BulkSpec, NewSession, Options, Order, Rule};
use room_archiver::model::State;
use room_archiver::store::PassOutcome;
use uuid::Uuid;

use super::harness::{HOUR, MINUTE, Stage};

fn texts(ids: impl IntoIterator<Item = Uuid>) -> BTreeSet<String> {
    ids.into_iter().map(|id| id.to_string()).collect()
}

async fn everything_is_found(order: Order) {
    for page_size in [1, 3, 100] {
        let options = Options {
            order,
            ..Options::default()
        };
        let more = format!("[signalwire]\npage_size = {page_size}\n");
        let stage = Stage::new(options, &more).await;
        let mut all = Vec::new();
        for days in [0, 1, 2, 3, 5, 8, 13] {
            let session = stage.ended(HOUR * 24 * days);
            for _ in 0..days % 3 {
                all.push(stage.recording(session, "completed"));
            }
        }
        let first = stage.archive.poll().await;
        assert_eq!(first.outcome, PassOutcome::Complete);
        assert_eq!(stage.known(), texts(all.clone()), "pages of {page_size}");

        stage.pass_time(5 * MINUTE);
        for room in ["one", "two", "three"] {
            all.push(stage.space().archivable(room).1);
        }
        // An early stop at a chance order is mended by the sweep; the honest orders need none.
        if matches!(order, Order::Shuffled(_)) {
            stage.archive.sweep().await;
        } else {
            stage.archive.poll().await;
        }
        assert_eq!(stage.known(), texts(all), "pages of {page_size}");
    }
}

#[tokio::test]
async fn everything_is_found_when_the_newest_come_first() {
    everything_is_found(Order::NewestFirst).await;
}

#[tokio::test]
async fn everything_is_found_when_the_oldest_come_first() {
    everything_is_found(Order::OldestFirst).await;
}

#[tokio::test]
async fn everything_is_found_without_any_order() {
    for seed in 1..=2 {
        everything_is_found(Order::Shuffled(seed)).await;
    }
}

#[tokio::test]
async fn what_a_shift_passed_over_is_found_by_the_next_poll_or_the_sweep() {
    // The gap between sessions decides who finds it: the overlap of a poll, or the sweep.
    for (gap, sweep) in [(HOUR, false), (HOUR * 24 * 10, true)] {
        let stage = Stage::new(Options::default(), "[signalwire]\npage_size = 2\n").await;
        let sessions: Vec<Uuid> = (0..6).map(|n| stage.ended(gap * n)).collect();
        let recordings: Vec<Uuid> = sessions
            .iter()
            .map(|session| stage.recording(*session, "completed"))
            .collect();
        let gone = sessions[3];
        stage.space().inject(
            Rule::sessions(Action::after(move |space| {
                space.delete_session(gone);
            }))
            .page(1)
            .once(),
        );
        stage.archive.poll().await;
        let passed_over = recordings[4].to_string();
        assert!(!stage.known().contains(&passed_over), "the rows shifted");
        stage.pass_time(5 * MINUTE);
        stage.archive.poll().await;
        assert_eq!(stage.known().contains(&passed_over), !sweep);
        stage.archive.sweep().await;
        assert!(stage.known().contains(&passed_over));
    }
}

#[tokio::test]
async fn sessions_that_come_while_one_pages_are_found() {
    let stage = Stage::new(Options::default(), "[signalwire]\npage_size = 2\n").await;
    for hours in 1..6 {
        stage.ended(HOUR * hours);
    }
    stage.space().inject(
        Rule::sessions(Action::after(|space| {
            space.archivable("late");
        }))
        .page(1)
        .once(),
    );
    stage.archive.poll().await;
    assert_eq!(stage.known().len(), 0);
    stage.pass_time(5 * MINUTE);
    stage.archive.poll().await;
    assert_eq!(stage.known().len(), 1);
}

#[tokio::test]
async fn a_recording_that_appears_any_time_before_settling_is_found() {
    for hours in [0, 1, 7, 23] {
        let stage = Stage::new(Options::default(), "").await;
        let session = stage.ended(Duration::ZERO);
        stage.archive.poll().await;
        stage.pass_time(HOUR * hours);
        let late = stage.recording(session, "completed");
        for _ in hours..=24 {
            stage.pass_time(HOUR);
            stage.archive.poll().await;
        }
        assert_eq!(stage.state(late), "pending", "after {hours} hours");
        let settled = stage
            .setting
            .sql("SELECT settled_at IS NOT NULL FROM sessions");
        assert_eq!(settled, "1");
    }
}

#[tokio::test]
async fn a_recording_that_is_processed_for_days_is_looked_at_until_it_is_completed() {
    let stage = Stage::new(Options::default(), "").await;
    let session = stage.ended(Duration::ZERO);
    let slow = stage.recording(session, "processing");
    let quick = stage.recording(session, "completed");
    for _ in 0..16 {
        stage.archive.poll().await;
        stage.pass_time(6 * HOUR);
    }
    assert_eq!(stage.state(slow), "waiting");
    assert_eq!(stage.state(quick), "pending");
    stage.space().complete(slow);
    stage.archive.poll().await;
    assert_eq!(stage.state(slow), "pending");
    stage.pass_time(5 * MINUTE);
    assert_eq!(stage.poll_requests().await, 1, "it is settled now");
}

#[tokio::test]
async fn a_session_that_runs_beyond_the_early_stop_is_listed_at_each_poll() {
    let stage = Stage::new(Options::default(), "[signalwire]\npage_size = 5\n").await;
    let now = stage.space().now();
    let long = stage
        .space()
        .add_session(NewSession::running("long").at(now - TimeDelta::hours(34), None));
    let first = stage.recording(long, "completed");
    for hours in 0..10 {
        stage.ended(HOUR * 3 * hours);
    }
    stage.archive.poll().await;
    assert_eq!(stage.state(first), "pending");
    stage.pass_time(5 * MINUTE);
    let second = stage.recording(long, "recording");
    stage.archive.poll().await;
    assert_eq!(stage.state(second), "waiting");
    stage.pass_time(5 * MINUTE);
    stage.space().end_session(long);
    stage.space().complete(second);
    stage.archive.poll().await;
    assert_eq!(stage.state(second), "pending");
    let status = format!("SELECT status FROM sessions WHERE session_id = '{long}'");
    assert_eq!(stage.setting.sql(&status), "completed");
}

/// Two hundred settled sessions, an hour apart.
fn settled(stage: &Stage) -> BulkSpec {
    BulkSpec {
        step: HOUR,
        ..BulkSpec::new(200, 1, stage.space().now() - TimeDelta::days(60))
    }
}

#[tokio::test]
async fn a_sweep_settles_without_listing_and_quiet_polls_cost_one_request() {
    let stage = Stage::new(Options::default(), "[signalwire]\npage_size = 50\n").await;
    stage.space().add_bulk(settled(&stage));
    let sweep = stage.archive.sweep().await;
    assert_eq!(sweep.counts.requests, 4 + 4);
    assert_eq!(sweep.counts.sessions_listed, 0);
    assert_eq!(sweep.counts.recordings_new, 200);
    stage.pass_time(5 * MINUTE);
    assert_eq!(stage.poll_requests().await, 1);

    // A chance of the order is no reason to stop.
    for order in [Order::OldestFirst, Order::Shuffled(7)] {
        stage.space().configure(|options| options.order = order);
        stage.pass_time(5 * MINUTE);
        assert_eq!(stage.poll_requests().await, 4);
    }
    stage
        .space()
        .configure(|options| options.order = Order::NewestFirst);
    let (session, _) = stage.space().archivable("new");
    stage.pass_time(5 * MINUTE);
    assert_eq!(stage.poll_requests().await, 2, "{session} is listed");

    // Once the newest is gone, one walk to the end finds the horizon again.
    stage.space().end_session(session);
    stage.archive.sweep().await;
    stage.space().delete_session(session);
    stage.pass_time(25 * HOUR);
    stage.archive.sweep().await;
    assert_eq!(stage.poll_requests().await, 1);
}

#[tokio::test]
async fn a_walk_that_was_cut_short_keeps_its_pages_and_moves_no_horizon() {
    let stage = Stage::new(Options::default(), "[signalwire]\npage_size = 2\n").await;
    for hours in 0..6 {
        let session = stage.ended(HOUR * hours);
        stage.recording(session, "completed");
    }
    let rule = stage
        .space()
        .inject(Rule::sessions(Action::error(500)).page(1));
    let report = stage.archive.poll().await;
    assert_eq!(report.outcome, PassOutcome::Incomplete);
    assert_eq!(report.counts.recordings_new, 2);
    assert_eq!(stage.space().fired(rule), 3, "it was tried again");
    let horizon = stage.archive.app.store.horizon().await.expect("a database");
    assert_eq!(horizon, room_archiver::store::Horizon::default());
    stage.space().clear_faults();
    let report = stage.archive.poll().await;
    assert_eq!(
        (report.outcome, report.counts.recordings_new),
        (PassOutcome::Complete, 4)
    );
}

#[tokio::test]
async fn a_session_is_listed_at_each_poll_for_a_quarter_of_an_hour_and_then_ever_less_often() {
    let stage = Stage::new(Options::default(), "").await;
    stage.ended(Duration::ZERO);
    let mut listed = Vec::new();
    let mut minute = 0;
    while minute < 26 * 60 {
        if stage.archive.poll().await.counts.sessions_listed == 1 {
            listed.push(minute);
        }
        let step = if minute < 60 { 5 } else { 20 };
        minute += step;
        stage.pass_time(step * MINUTE);
    }
    assert_eq!(listed[..4], [0, 5, 10, 15]);
    assert!(listed.len() < 18, "{listed:?}");
    assert!((24 * 60..=24 * 60 + 20).contains(listed.last().expect("a listing")));
    let steps: Vec<_> = listed.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let growing = &steps[..steps.len() - 1];
    assert!(growing.contains(&360), "{steps:?}");
    // A step ends at a poll, so it may be short of the last by one.
    assert!(
        growing.windows(2).all(|pair| pair[1] + 20 >= pair[0]),
        "{steps:?}"
    );
}

#[tokio::test]
async fn a_sweep_adds_and_marks() {
    let stage = Stage::new(Options::default(), "").await;
    let mut recordings = Vec::new();
    for _ in 0..5 {
        let session = stage.ended(72 * HOUR);
        recordings.push(stage.recording(session, "completed"));
    }
    stage.archive.poll().await;
    let [archived, _, lost, waiting, _] = recordings[..] else {
        unreachable!()
    };
    stage.archive.download().await;
    stage.setting.write_sql(&format!(
        "UPDATE recording SET state = 'pending', path = NULL WHERE id = '{lost}';
         UPDATE recording SET state = 'waiting', path = NULL WHERE id = '{waiting}';"
    ));
    stage.space().delete_recording(archived);
    stage.space().delete_recording(lost);
    let settled = stage.ended(72 * HOUR);
    stage.archive.poll().await;
    let unknown = stage.recording(settled, "completed");
    let unfinished = stage.recording(settled, "processing");

    let report = stage.archive.sweep().await;
    assert_eq!(report.outcome, PassOutcome::Complete);
    assert_eq!(report.counts.recordings_new, 2);
    assert_eq!(stage.state(archived), "archived");
    assert_eq!(
        stage
            .setting
            .sql("SELECT recording_id FROM archive WHERE upstream_gone_at IS NOT NULL"),
        archived.to_string()
    );
    assert_eq!(stage.setting.files().len(), 5, "files stay");
    for (recording, state) in [
        (lost, "lost"),
        (waiting, "pending"),
        (unknown, "pending"),
        (unfinished, "waiting"),
    ] {
        assert_eq!(stage.state(recording), state);
    }
    // The session was settled; an unfinished recording wakes it.
    stage.space().complete(unfinished);
    stage.pass_time(5 * MINUTE);
    stage.archive.poll().await;
    assert_eq!(stage.state(unfinished), "pending");
    assert_eq!(stage.archive.counts().await.of(State::Lost), 1);
}

#[tokio::test]
async fn an_empty_list_deletes_nothing_and_loses_nothing() {
    let stage = Stage::new(Options::default(), "").await;
    let (_, recording) = stage.space().archivable("lesson");
    stage.archive.poll().await;
    for rule in [Rule::sessions, Rule::recordings] {
        stage
            .space()
            .inject(rule(Action::data(serde_json::json!([]))));
    }
    let report = stage.archive.sweep().await;
    assert_eq!(report.outcome, PassOutcome::Incomplete);
    assert_eq!(stage.state(recording), "pending");
    let gone = "SELECT count(*) FROM session WHERE upstream_gone_at IS NOT NULL";
    assert_eq!(stage.setting.sql(gone), "0");
}
