use globset::{Glob, GlobSetBuilder};

use super::*;

const NAMED: fn() -> Room = || Room::Known(Some("lesson".to_owned()));

fn globs(pattern: &str) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    set.add(Glob::new(pattern).expect("a glob"));
    set.build().expect("globs")
}

fn filter() -> RoomFilter {
    RoomFilter::new(globs("*"), globs("secret"), None, Duration::from_secs(10))
}

fn listed(status: &str) -> Recording {
    Recording {
        id: uuid::Uuid::from_u128(1).into(),
        session_id: Some(uuid::Uuid::from_u128(2).into()),
        status: UpstreamStatus::parse(Some(status.to_owned())),
        started_at: None,
        finished_at: None,
        duration_seconds: None,
        size_bytes: Some(5),
        format: None,
        cost_in_dollars: None,
        created_at: None,
        updated_at: None,
        upstream: status.to_owned(),
    }
}

/// What the database would know of it.
fn known(state: State, listed: &Recording) -> Known {
    Known {
        state,
        session_id: listed.session_id,
        upstream: listed.upstream.clone(),
        size_bytes: listed.size_bytes,
        updated_at: listed.updated_at,
        gone: false,
        damaged: false,
    }
}

fn decide(listed: &Recording, known: &Known) -> Option<Change> {
    plan(&filter(), listed, Some(known), &NAMED())
}

#[test]
fn a_new_recording_waits_is_skipped_or_pending() {
    let place = |listed: &Recording, room: &Room| {
        let change = plan(&filter(), listed, None, room).expect("a row");
        (change.state, change.skip_reason.is_some())
    };
    assert_eq!(
        place(&listed("completed"), &NAMED()),
        (State::Pending, false)
    );
    assert_eq!(place(&listed("odd"), &NAMED()), (State::Waiting, false));
    assert_eq!(
        place(&listed("completed"), &Room::Awaited),
        (State::Waiting, false)
    );
    assert_eq!(
        place(&listed("completed"), &Room::Unknown),
        (State::Pending, false)
    );
    let secret = Room::Known(Some("secret".to_owned()));
    assert_eq!(place(&listed("recording"), &secret), (State::Skipped, true));
    let short = |status| Recording {
        duration_seconds: Some(9.9),
        ..listed(status)
    };
    assert_eq!(place(&short("completed"), &NAMED()), (State::Skipped, true));
    assert_eq!(
        place(&short("recording"), &NAMED()),
        (State::Waiting, false),
        "it grows"
    );
}

#[test]
fn nothing_is_written_when_nothing_changed() {
    let listed = listed("completed");
    for state in State::ALL {
        let change = decide(&listed, &known(state, &listed));
        let moves = matches!(state, State::Waiting | State::Skipped | State::Lost);
        assert_eq!(change.is_some(), moves, "{state}");
    }
}

#[test]
fn what_is_on_the_disk_or_being_fetched_stays_whatever_the_vendor_says() {
    let now = Recording {
        size_bytes: Some(6),
        upstream: "other".to_owned(),
        ..listed("processing")
    };
    for state in [State::Archived, State::Downloading, State::Damaged] {
        let change = decide(&now, &known(state, &listed("completed")));
        let change = change.expect("a change");
        assert_eq!(change.state, state);
        assert_eq!(change.changed_after_archiving, state == State::Archived);
    }
}

#[test]
fn what_is_archived_stays_so_without_a_reason_to_skip_it_when_the_filter_leaves_it_out_later() {
    let before = listed("completed");
    let now = Recording {
        upstream: "other".to_owned(),
        ..listed("completed")
    };
    let secret = Room::Known(Some("secret".to_owned()));
    let change = plan(
        &filter(),
        &now,
        Some(&known(State::Archived, &before)),
        &secret,
    );
    let change = change.expect("a change");
    assert_eq!((change.state, change.skip_reason), (State::Archived, None));
}

#[test]
fn a_lost_one_that_is_back_is_fetched() {
    let now = listed("completed");
    let mut before = known(State::Lost, &now);
    before.gone = true;
    let change = decide(&now, &before).expect("a change");
    assert_eq!(
        (change.state, change.another_chance),
        (State::Pending, true)
    );
}

#[test]
fn a_damaged_one_that_is_back_has_another_chance_and_keeps_its_state() {
    let now = listed("completed");
    for state in [State::Damaged, State::Lost] {
        let gone = Known {
            gone: true,
            damaged: true,
            ..known(state, &now)
        };
        let change = decide(&now, &gone).expect("a change");
        assert_eq!((change.state, change.another_chance), (state, true));
    }
    let here = known(State::Damaged, &now);
    assert_eq!(decide(&now, &here), None);
}

#[test]
fn each_limit_of_the_filter_includes_what_is_exactly_at_it() {
    let since = DateTime::UNIX_EPOCH;
    let filter = RoomFilter::new(
        globs("*"),
        globs("secret"),
        Some(since),
        Duration::from_secs(10),
    );
    let out = |started, seconds| filter.leaves_out(Some("lesson"), started, seconds);
    let second = chrono::TimeDelta::seconds(1);
    assert_eq!(out(Some(since), Some(10.0)), None);
    assert_eq!(out(Some(since + second), Some(10.1)), None);
    assert_eq!(
        out(Some(since - second), Some(10.0)),
        Some("it started before filter.since")
    );
    assert_eq!(
        out(Some(since), Some(9.9)),
        Some("it is shorter than filter.min_duration")
    );
}

#[test]
fn a_change_of_size_or_time_alone_counts_as_changed_after_archiving() {
    let before = listed("completed");
    let changed = |now: Recording| {
        let upstream = "changed".to_owned();
        let now = Recording { upstream, ..now };
        let change = decide(&now, &known(State::Archived, &before));
        change.expect("a change").changed_after_archiving
    };
    assert!(changed(Recording {
        updated_at: Some(DateTime::UNIX_EPOCH),
        ..before.clone()
    }));
    assert!(changed(Recording {
        size_bytes: None,
        ..before.clone()
    }));
    assert!(!changed(before.clone()));
}

#[test]
fn another_session_is_flagged_and_an_absent_one_is_not() {
    let now = listed("completed");
    let mut before = known(State::Pending, &now);
    before.session_id = Some(uuid::Uuid::from_u128(9).into());
    let change = decide(&now, &before).expect("a change");
    assert!(change.other_session);
    let nowhere = Recording {
        session_id: None,
        ..now
    };
    assert_eq!(decide(&nowhere, &before), None);
}

#[test]
fn an_unknown_room_is_never_left_out_and_one_without_a_name_is_the_empty_name() {
    for (include, exclude) in [("class-*", "none"), ("*", "*")] {
        let filter = RoomFilter::new(globs(include), globs(exclude), None, Duration::ZERO);
        let state = |room| position(&filter, room, &UpstreamStatus::Completed, None, None).0;
        assert_eq!(state(&Room::Unknown), State::Pending, "{include} {exclude}");
        assert_eq!(state(&Room::Known(None)), State::Skipped);
        assert_eq!(state(&Room::Awaited), State::Waiting);
    }
}

#[test]
fn a_single_answer_that_lags_behind_the_lists_moves_nothing() {
    let lagging = listed("processing");
    for (state, lagged) in [
        (State::Pending, true),
        (State::Waiting, false),
        (State::Lost, false),
    ] {
        let before = known(state, &listed("completed"));
        assert_eq!(lags(&lagging, Some(&before)), lagged, "{state}");
        assert!(!lags(&listed("completed"), Some(&before)));
    }
    assert!(!lags(&lagging, None));
}
