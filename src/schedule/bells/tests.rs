use futures::FutureExt;

use super::*;
use crate::lifecycle::{Lifecycle, Systemd};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn schedules(poll: &str) -> Each<Schedule> {
    let parse = |text: &str| text.parse::<Schedule>().expect("a schedule");
    Each {
        poll: parse(poll),
        sweep: parse("0 30 3 * * *"),
        verify: parse("0 0 4 * * 0"),
    }
}

const START: &str = "2026-11-23T20:02:00Z";

/// Bells that were last rung at the clock's start.
fn bells() -> (Clock, Bells, Each<Bell>) {
    let clock = Clock::manual(at(START));
    let now = Some(at(START));
    let last = Each {
        poll: now,
        sweep: now,
        verify: now,
    };
    let bells = Bells::new(schedules("0 */5 * * * *"), last, clock.clone());
    let each = bells.bells();
    (clock, bells, each)
}

/// How often the bell rings if one listens now.
fn heard(bell: &Bell) -> usize {
    std::iter::from_fn(|| bell.rung().now_or_never()).count()
}

#[test]
fn each_slot_rings_once_however_often_one_looks() {
    let (clock, bells, each) = bells();
    bells.0.ring_due();
    assert_eq!(heard(&each.poll), 0);
    for _ in 0..3 {
        clock.advance(Duration::from_mins(5));
        bells.0.ring_due();
        bells.0.ring_due();
        assert_eq!(heard(&each.poll), 1);
        bells.0.ring_due();
        assert_eq!(heard(&each.poll), 0);
    }
    assert_eq!(heard(&each.sweep), 0);
}

#[test]
fn after_a_week_of_suspend_each_bell_rings_once() {
    let (clock, bells, each) = bells();
    clock.advance(Duration::from_hours(7 * 24));
    bells.0.ring_due();
    bells.0.ring_due();
    assert_eq!(
        (heard(&each.poll), heard(&each.sweep), heard(&each.verify)),
        (1, 1, 1)
    );
}

#[test]
fn rings_during_a_long_pass_are_one_ring() {
    let (clock, bells, each) = bells();
    for _ in 0..10 {
        clock.advance(Duration::from_mins(5));
        bells.0.ring_due();
    }
    assert_eq!(heard(&each.poll), 1);
}

#[test]
fn a_late_start_catches_up_once_and_a_first_start_rings_at_once() {
    let clock = Clock::manual(at(START));
    let last = Each {
        poll: None,
        sweep: Some(at("2026-11-20T03:30:00Z")),
        verify: Some(at("2026-11-23T20:00:00Z")),
    };
    let bells = Bells::new(schedules("0 */5 * * * *"), last, clock);
    bells.0.ring_due();
    bells.0.ring_due();
    let each = bells.bells();
    assert_eq!(
        (heard(&each.poll), heard(&each.sweep), heard(&each.verify)),
        (1, 1, 0)
    );
}

#[test]
fn a_clock_that_ran_years_ahead_does_not_silence_the_bells() {
    let mut chime = Chime {
        schedule: schedules("0 */5 * * * *").poll,
        bell: Bell::default(),
        last: at("2031-01-01T00:00:00Z"),
    };
    chime.ring_if_due(at("2026-11-23T20:02:00Z"));
    assert_eq!(heard(&chime.bell), 0);
    chime.ring_if_due(at("2026-11-23T20:05:00Z"));
    assert_eq!(heard(&chime.bell), 1);
}

#[test]
fn a_clock_stepped_back_a_little_does_not_ring_a_slot_twice() {
    let mut chime = Chime {
        schedule: schedules("0 */5 * * * *").poll,
        bell: Bell::default(),
        last: at("2026-11-23T20:05:00.100Z"),
    };
    chime.ring_if_due(at("2026-11-23T20:04:59.800Z"));
    chime.ring_if_due(at("2026-11-23T20:05:00.200Z"));
    assert_eq!(heard(&chime.bell), 0);
}

#[test]
fn a_new_schedule_counts_from_now_and_what_was_owed_still_rings() {
    let (clock, bells, each) = bells();
    clock.advance(Duration::from_secs(30));
    // Its slot of 20:02:15 lies in the past: not ours.
    bells.replace(schedules("15 2 20 * * *"));
    bells.0.ring_due();
    assert_eq!(heard(&each.poll), 0);
    clock.advance(Duration::from_hours(24));
    bells.replace(schedules("0 */5 * * * *"));
    assert_eq!(heard(&each.poll), 1, "owed by the schedule before");
}

#[tokio::test(start_paused = true)]
async fn the_timer_rings_at_the_slot_and_at_most_half_a_minute_after_a_jump() {
    let (clock, bells, each) = bells();
    let lifecycle = Lifecycle::new(clock.clone(), Systemd::default());
    let (stop, pulse) = (CancellationToken::new(), lifecycle.pulse("bells"));
    let running = tokio::spawn({
        let (bells, stop) = (bells.clone(), stop.clone());
        async move { bells.run(stop, pulse).await }
    });
    assert!(
        tokio::time::timeout(Duration::from_mins(10), each.poll.rung())
            .await
            .is_err(),
        "the wall clock stands still: no slot has come"
    );
    clock.advance(Duration::from_hours(24));
    tokio::time::timeout(LOOK_EVERY + Duration::from_secs(1), each.sweep.rung())
        .await
        .expect("one look is enough");
    stop.cancel();
    running.await.expect("an end without a panic");
}

#[tokio::test]
async fn the_cron_scheduler_alone_rings_too() {
    let clock = Clock::system();
    let last = Each {
        poll: Some(clock.now()),
        sweep: Some(clock.now()),
        verify: Some(clock.now()),
    };
    let bells = Bells::new(schedules("* * * * * *"), last, clock);
    let cron = bells.try_start_cron().await.expect("a scheduler");
    let poll = bells.bells().poll;
    tokio::time::timeout(Duration::from_secs(5), poll.rung())
        .await
        .expect("a ring within seconds");
    shut_down(Some(cron)).await;
}
