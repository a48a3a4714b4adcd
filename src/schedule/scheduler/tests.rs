use futures::FutureExt;
use tokio_cron_scheduler::SimpleMetadataStore;
use tokio_cron_scheduler::store::DataStore;

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

/// Schedules whose ticks were all dealt with at the clock's start.
fn scheduler() -> (Clock, Scheduler, Each<Ticks>) {
    let clock = Clock::manual(at(START));
    let scheduler = starting_at(at(START), "0 */5 * * * *", &clock);
    let ticks = scheduler.ticks();
    (clock, scheduler, ticks)
}

fn starting_at(last: DateTime<Utc>, poll: &str, clock: &Clock) -> Scheduler {
    let last = Each {
        poll: last,
        sweep: last,
        verify: last,
    };
    Scheduler::new(schedules(poll), last, clock.clone())
}

/// Does at the clock's time what the crate does: runs the jobs whose next tick has come.
fn pass(scheduler: &Scheduler) {
    let now = scheduler.0.clock.now();
    for (index, next) in scheduler.0.next_ticks().into_iter().enumerate() {
        if next.is_some_and(|next| next <= now) {
            scheduler.0.tick_if_due(index);
        }
    }
}

/// How many ticks come if one listens now.
fn heard(ticks: &Ticks) -> usize {
    std::iter::from_fn(|| ticks.next().now_or_never()).count()
}

#[test]
fn a_tick_that_the_crate_sends_twice_comes_once() {
    let (clock, scheduler, ticks) = scheduler();
    pass(&scheduler);
    assert_eq!(heard(&ticks.poll), 0);
    for _ in 0..3 {
        clock.advance(Duration::from_mins(5));
        scheduler.0.tick_if_due(0);
        assert_eq!(heard(&ticks.poll), 1);
        scheduler.0.tick_if_due(0);
        assert_eq!(heard(&ticks.poll), 0);
    }
    assert_eq!(heard(&ticks.sweep), 0);
}

#[tokio::test]
async fn a_tick_that_the_crate_loses_is_due_until_its_job_has_run() {
    let (clock, scheduler, _) = scheduler();
    let mut job = Job::new("0 */5 * * * *", |_, _| {}).expect("a job");
    let mut crates = SimpleMetadataStore::default();
    let data = job.job_data().expect("a job's data");
    crates.add_or_update(data).await.expect("a place");
    clock.advance(Duration::from_mins(5));
    let (due, after) = (at("2026-11-23T20:05:00Z"), at("2026-11-23T20:10:00Z"));
    for _ in 0..2 {
        let set = scheduler.0.set_ticks(&mut crates, &[job.guid()]).await;
        set.expect("a known job");
        let listed = crates.list_next_ticks().await.expect("ticks");
        assert_eq!(listed[0].next_tick, due.timestamp().cast_unsigned());
        assert_eq!(listed[0].last_tick, None);
        // What the crate notes of a tick that was sent.
        let noted = crates.set_next_and_last_tick(job.guid(), Some(after), Some(due));
        noted.await.expect("a known job");
    }
    scheduler.0.tick_if_due(0);
    assert_eq!(scheduler.0.next_ticks()[0], Some(after));
}

#[test]
fn after_a_week_of_suspend_each_schedule_ticks_once() {
    let (clock, scheduler, ticks) = scheduler();
    clock.advance(Duration::from_hours(7 * 24));
    pass(&scheduler);
    pass(&scheduler);
    assert_eq!(
        [&ticks.poll, &ticks.sweep, &ticks.verify].map(heard),
        [1, 1, 1]
    );
}

#[test]
fn ticks_during_a_long_pass_are_one_tick() {
    let (clock, scheduler, ticks) = scheduler();
    for _ in 0..10 {
        clock.advance(Duration::from_mins(5));
        pass(&scheduler);
    }
    assert_eq!(heard(&ticks.poll), 1);
}

#[test]
fn what_was_missed_before_the_start_is_one_tick() {
    let clock = Clock::manual(at(START));
    let last = Each {
        poll: at(START),
        sweep: at("2026-11-20T03:30:00Z"),
        verify: at("2026-11-23T20:00:00Z"),
    };
    let scheduler = Scheduler::new(schedules("0 */5 * * * *"), last, clock);
    pass(&scheduler);
    pass(&scheduler);
    let ticks = scheduler.ticks();
    assert_eq!(
        [&ticks.poll, &ticks.sweep, &ticks.verify].map(heard),
        [0, 1, 0]
    );
}

#[test]
fn a_clock_that_ran_years_ahead_does_not_silence_the_schedules() {
    let clock = Clock::manual(at(START));
    let scheduler = starting_at(at("2031-01-01T00:00:00Z"), "0 */5 * * * *", &clock);
    pass(&scheduler);
    let poll = scheduler.ticks().poll;
    assert_eq!(heard(&poll), 0);
    clock.advance(Duration::from_mins(3));
    pass(&scheduler);
    assert_eq!(heard(&poll), 1);
}

#[test]
fn a_clock_stepped_back_a_little_does_not_repeat_a_tick() {
    let clock = Clock::manual(at("2026-11-23T20:04:59.800Z"));
    let scheduler = starting_at(at("2026-11-23T20:05:00.100Z"), "0 */5 * * * *", &clock);
    pass(&scheduler);
    clock.advance(Duration::from_millis(400));
    pass(&scheduler);
    assert_eq!(heard(&scheduler.ticks().poll), 0);
}

#[test]
fn a_new_schedule_counts_from_now_and_what_was_owed_still_comes() {
    let (clock, scheduler, ticks) = scheduler();
    clock.advance(Duration::from_secs(30));
    // Its slot of 20:02:15 lies in the past: not ours.
    scheduler.replace(schedules("15 2 20 * * *"));
    pass(&scheduler);
    assert_eq!(heard(&ticks.poll), 0);
    clock.advance(Duration::from_hours(24));
    scheduler.replace(schedules("0 */5 * * * *"));
    assert_eq!(heard(&ticks.poll), 1, "owed by the schedule before");
}

#[test]
fn the_crate_looks_just_before_a_tick_and_at_least_every_half_minute() {
    let (clock, scheduler, _) = scheduler();
    for (now, milliseconds) in [
        ("2026-11-23T20:02:00Z", 30_000),
        ("2026-11-23T20:04:50Z", 9_500),
        ("2026-11-23T20:04:59.600Z", 0),
        ("2026-11-23T20:05:00Z", 0),
        ("2026-11-24T20:05:00Z", 0),
    ] {
        clock.set_wall(at(now));
        let quiet = scheduler.0.quiet();
        assert_eq!(quiet, Duration::from_millis(milliseconds), "{now}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_crate_does_not_look_twice_a_second_while_nothing_is_due() {
    let (clock, scheduler, _) = scheduler();
    let lifecycle = Lifecycle::new(clock, Systemd::default());
    let (cron, ids) = scheduler.start().await.expect("a start");
    let (crates, pulse) = (cron.context(), lifecycle.pulse("schedules"));
    tokio::spawn(async move { scheduler.pace(&cron, &ids, &pulse).await });
    let mut free = 0;
    for _ in 0..6000 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        free += u32::from(crates.metadata_storage.try_write().is_ok());
    }
    assert!(free < 300, "for {free} tenths of a second of ten minutes");
}

#[tokio::test]
async fn the_crate_ticks_takes_a_new_schedule_at_once_and_ends_with_the_stop() {
    let clock = Clock::system();
    let scheduler = starting_at(clock.now(), "0 0 0 29 2 *", &clock);
    let lifecycle = Lifecycle::new(clock, Systemd::default());
    let (stop, pulse) = (lifecycle.stop(), lifecycle.pulse("schedules"));
    let running = tokio::spawn({
        let (scheduler, stop) = (scheduler.clone(), stop.clone());
        async move { scheduler.run(stop, pulse).await }
    });
    let poll = scheduler.ticks().poll;
    let within = Duration::from_secs(3);
    let none = tokio::time::timeout(within / 2, poll.next()).await;
    assert!(none.is_err(), "a tick of the 29th of February");
    scheduler.replace(schedules("* * * * * *"));
    for _ in 0..2 {
        let tick = tokio::time::timeout(within, poll.next()).await;
        tick.expect("a tick within seconds");
    }
    stop.cancel();
    let end = running.await.expect("an end without a panic");
    end.expect("a clean end");
}

#[test]
fn a_schedule_that_comes_later_ticks_later_and_not_when_the_crate_thinks() {
    let clock = Clock::manual(at(START));
    let last = Each {
        poll: at(START),
        sweep: at(START),
        verify: at(START),
    };
    let mut later = schedules("0 */5 * * * *");
    later.poll = later.poll.later(Duration::from_secs(90));
    let scheduler = Scheduler::new(later, last, clock.clone());
    let ticks = scheduler.ticks();
    assert_eq!(
        scheduler.0.next_ticks()[0],
        Some(at("2026-11-23T20:06:30Z"))
    );
    clock.advance(Duration::from_mins(3));
    scheduler.0.tick_if_due(0);
    assert_eq!(heard(&ticks.poll), 0);
    clock.advance(Duration::from_secs(90));
    scheduler.0.tick_if_due(0);
    assert_eq!(heard(&ticks.poll), 1);
}
