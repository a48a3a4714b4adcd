use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::{Backoff, Failure, History, MOST_FAULTS, decide};
use crate::store::Ending;

const BACKOFF: Backoff = Backoff {
    initial: Duration::from_secs(10),
    most: Duration::from_hours(1),
};

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn history(retries: u32, faults: u32, progress: bool) -> History {
    History {
        id: "5f1e0a57-7c6b-4d0e-9a52-1f00fa4e0001"
            .parse()
            .expect("an id"),
        retries,
        faults,
        progress,
    }
}

/// How long is waited before a retry.
fn waits(ending: &Ending) -> Duration {
    let Ending::Retry { at, .. } = ending else {
        panic!("a retry, not {ending:?}");
    };
    (*at - now()).to_std().expect("a time to come")
}

fn passing() -> Failure {
    Failure::Passing("an outage".to_owned())
}

#[test]
fn waits_double_up_to_the_longest_and_begin_anew_with_progress() {
    let wait = |retries, progress| {
        waits(&decide(
            &passing(),
            history(retries, 0, progress),
            BACKOFF,
            now(),
        ))
    };
    for (retries, seconds) in [
        (0, 10),
        (1, 20),
        (2, 40),
        (8, 2560),
        (9, 3600),
        (u32::MAX, 3600),
    ] {
        let wait = wait(retries, false);
        let about = Duration::from_secs(seconds);
        assert!(
            wait >= about * 3 / 4 && wait <= about * 5 / 4,
            "{retries}: {wait:?}"
        );
    }
    assert_eq!(wait(8, true), wait(0, true));
}

#[test]
fn content_that_is_wrong_too_often_fails_and_nothing_else_does() {
    let wrong = Failure::Content("wrong".to_owned());
    for faults in 0..MOST_FAULTS + 2 {
        let ending = decide(&wrong, history(0, faults, false), BACKOFF, now());
        assert_eq!(
            ending == Ending::Failed,
            faults + 1 >= MOST_FAULTS,
            "{faults}"
        );
    }
}

#[test]
fn a_host_is_left_alone_at_least_as_long_as_it_asked() {
    let until = now() + TimeDelta::minutes(30);
    let asked = |retries, until| {
        waits(&decide(
            &Failure::Patience(until),
            history(retries, 0, false),
            BACKOFF,
            now(),
        ))
    };
    assert_eq!(asked(0, until), Duration::from_mins(30));
    // Asking for a moment each time does not make a busy loop.
    assert!(asked(20, now() + TimeDelta::seconds(1)) >= Duration::from_mins(45));
}

#[test]
fn what_was_never_tried_leaves_no_trace() {
    for failure in [
        Failure::Disk("full".to_owned()),
        Failure::PutOff("too large".to_owned()),
        Failure::Api("refused".to_owned(), None),
        Failure::Api("busy".to_owned(), Some(now() + TimeDelta::hours(1))),
    ] {
        let ending = decide(&failure, history(3, 3, false), BACKOFF, now());
        assert!(
            matches!(ending, Ending::Released { at } if at > now()),
            "{ending:?}"
        );
        assert_eq!(ending.outcome(), None);
    }
}

proptest! {
    #[test]
    fn a_fault_of_the_way_never_uses_up_a_recording(
        retries: u32, faults in 0..1000_u32, progress: bool, kind in 0..4,
        initial in 1..100_000_u64, most in 1..10_000_000_u64,
    ) {
        let failure = match kind {
            0 => passing(),
            1 => Failure::Patience(now()),
            2 => Failure::BrokenPart("broken".to_owned()),
            _ => Failure::NoLink,
        };
        let backoff = Backoff {
            initial: Duration::from_millis(initial),
            most: Duration::from_millis(most),
        };
        let ending = decide(&failure, history(retries, faults, progress), backoff, now());
        let Ending::Retry { at, fault, .. } = ending else {
            panic!("{ending:?}");
        };
        prop_assert!(!fault && at >= now());
        prop_assert!(at <= now() + TimeDelta::milliseconds(most.cast_signed() * 5 / 4 + 1));
    }
}
