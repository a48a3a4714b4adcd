use std::error::Error as _;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::{Backoff, Cause, Failure, History, decide};
use crate::store::{Doubt, Ending, Retry, WaitsFor};
use crate::{signalwire, store};

const BACKOFF: Backoff = Backoff {
    initial: Duration::from_secs(10),
    most: Duration::from_hours(1),
};

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn history(retries: u32, progress: bool) -> History {
    History {
        id: "5f1e0a57-7c6b-4d0e-9a52-1f00fa4e0001"
            .parse()
            .expect("an id"),
        retries,
        progress,
        standstill: false,
    }
}

fn retry(failure: &Failure, history: History) -> Retry {
    match decide(failure, history, BACKOFF, now()) {
        Ending::Retry(retry) => retry,
        ending => panic!("a retry, not {ending:?}"),
    }
}

/// How long it is until the next attempt.
fn wait(failure: &Failure, history: History) -> Duration {
    (retry(failure, history).at - now())
        .to_std()
        .expect("a time to come")
}

fn outage() -> Failure {
    Failure::Host("an outage".into())
}

#[test]
fn waits_double_up_to_the_longest_and_start_again_after_progress() {
    for (retries, seconds) in [
        (0, 10),
        (1, 20),
        (2, 40),
        (8, 2560),
        (9, 3600),
        (u32::MAX, 3600),
    ] {
        let wait = wait(&outage(), history(retries, false));
        let about = Duration::from_secs(seconds);
        assert!(
            wait >= about * 3 / 4 && wait <= about * 5 / 4,
            "{retries}: {wait:?}"
        );
    }
    assert_eq!(
        wait(&outage(), history(8, true)),
        wait(&outage(), history(0, true))
    );
}

#[test]
fn a_host_that_rate_limits_us_is_left_alone_at_least_as_long_as_it_says() {
    let until = now() + TimeDelta::minutes(30);
    let wait = |retries, until| wait(&Failure::RateLimited(until), history(retries, false));
    assert_eq!(wait(0, until), Duration::from_mins(30));
    // A second each time does not make a busy loop.
    assert!(wait(20, now() + TimeDelta::seconds(1)) >= Duration::from_mins(45));
}

#[test]
fn a_complete_transfer_that_is_odd_is_compared_with_another_not_sooner_than_some_minutes() {
    let doubt = Doubt {
        sha256: "a".repeat(64),
        bytes: 1,
        validator: None,
    };
    let failure = Failure::Doubtful {
        concerns: "the file ends early".to_owned(),
        doubt: doubt.clone(),
    };
    let retry = retry(&failure, history(5, false));
    assert_eq!(retry.at, now() + TimeDelta::minutes(2));
    assert_eq!(retry.waits_for, Some(WaitsFor::Comparison));
    assert_eq!(retry.doubt, Some(doubt));
    assert!(retry.progress, "it was complete");
}

#[test]
fn a_place_that_cannot_be_used_is_tried_again_soon_however_often_it_failed() {
    let place = Failure::Place("no permission".into());
    assert!(wait(&place, history(30, false)) <= Duration::from_secs(90));
}

#[test]
fn what_fails_while_others_do_waits_for_their_recovery() {
    for failure in [
        outage(),
        Failure::Refused("404".into()),
        Failure::Mint(signalwire::Error::Refused {
            request: "/".to_owned(),
            status: 403,
        }),
        Failure::Place("taken".into()),
    ] {
        assert_eq!(retry(&failure, history(0, false)).waits_for, None);
        let history = History {
            standstill: true,
            ..history(0, false)
        };
        assert_eq!(retry(&failure, history).waits_for, Some(WaitsFor::Recovery));
    }
}

#[test]
fn what_was_never_tried_leaves_no_trace() {
    for failure in [
        Failure::Disk("full".into()),
        Failure::Space {
            text: "too large".to_owned(),
            needed: 1,
        },
        Failure::HostWaits {
            host: "a:443".to_owned(),
            until: now() + TimeDelta::minutes(1),
            error: "refused".to_owned(),
        },
        Failure::Api(signalwire::Error::Credentials { status: 401 }),
        Failure::Api(signalwire::Error::RateLimited {
            until: now() + TimeDelta::hours(1),
        }),
    ] {
        let ending = decide(&failure, history(3, false), BACKOFF, now());
        assert!(
            matches!(ending, Ending::Released { at, .. } if at > now()),
            "{ending:?}"
        );
        assert_eq!(ending.outcome(), None);
    }
}

#[test]
fn the_waits_of_many_recordings_are_spread_evenly() {
    let waits: Vec<Duration> = (0..100)
        .map(|id| {
            let id = uuid::Uuid::from_u128(id).into();
            wait(
                &outage(),
                History {
                    id,
                    ..history(0, false)
                },
            )
        })
        .collect();
    let late = waits.iter().filter(|wait| **wait > BACKOFF.initial).count();
    assert!((25..=75).contains(&late), "{late} of 100 wait longer");
}

#[test]
fn what_the_api_or_the_database_needs_is_waited_for() {
    let until = now() + TimeDelta::minutes(7);
    let at = |failure: Failure| match decide(&failure, history(3, false), BACKOFF, now()) {
        Ending::Released { at, waits_for } => {
            assert_eq!(waits_for, None);
            at
        }
        ending => panic!("released, not {ending:?}"),
    };
    let api = |error| at(Failure::Api(error));
    assert_eq!(api(signalwire::Error::RateLimited { until }), until);
    assert_eq!(
        api(signalwire::Error::Credentials { status: 401 }),
        now() + super::PAUSE
    );
    let database = store::Error::Interrupted;
    assert_eq!(at(Failure::Database(database)), now() + super::NO_DATABASE);
}

#[test]
fn a_failure_says_what_could_not_be_done_and_keeps_the_reason() {
    let reason = || std::io::Error::other("the reason");
    let source = |cause: &Cause| cause.source().map(ToString::to_string);
    let both = Cause::of("the operation", reason());
    assert_eq!(both.to_string(), "the operation");
    assert_eq!(source(&both).as_deref(), Some("the reason"));
    let error = Cause::error(reason());
    assert_eq!(error.to_string(), "the reason");
    assert_eq!(source(&error), None);
    assert_eq!(source(&Cause::from("words")), None);
}

proptest! {
    #[test]
    fn no_failure_but_a_vanished_recording_is_final(
        retries: u32, progress: bool, standstill: bool, kind in 0..7,
        initial in 1..100_000_u64, most in 1..10_000_000_u64,
    ) {
        let failure = match kind {
            0 => outage(),
            1 => Failure::RateLimited(now()),
            2 => Failure::BrokenPart("broken".into()),
            3 => Failure::Refused("404".into()),
            4 => Failure::BrokeOff("reset".into()),
            5 => Failure::NotReady("processing".to_owned()),
            _ => Failure::NoLink,
        };
        let backoff = Backoff {
            initial: Duration::from_millis(initial),
            most: Duration::from_millis(most),
        };
        let history = History { standstill, ..history(retries, progress) };
        let ending = decide(&failure, history, backoff, now());
        let Ending::Retry(Retry { at, .. }) = ending else {
            panic!("{ending:?}");
        };
        prop_assert!(at >= now());
        prop_assert!(at <= now() + TimeDelta::milliseconds(most.cast_signed() * 5 / 4 + 1));
    }
}
