use std::time::Duration;

use super::Throttle;
use crate::clock::Clock;

const LIMIT: u64 = 1 << 20;

#[test]
fn without_a_limit_nothing_waits() {
    let throttle = Throttle::new(0, Clock::manual(chrono::DateTime::UNIX_EPOCH));
    assert_eq!(throttle.charge(u64::MAX), Duration::ZERO);
}

#[test]
fn all_clones_together_get_the_limit_and_no_more() {
    let clock = Clock::manual(chrono::DateTime::UNIX_EPOCH);
    let throttle = Throttle::new(LIMIT, clock.clone());
    let others = [throttle.clone(), throttle];
    for second in 0..10 {
        // Each waits until it has paid; the wall does not move by more than what was taken costs.
        let waits = others.each_ref().map(|one| one.charge(LIMIT / 2));
        assert_eq!(waits[1], Duration::from_secs(1), "second {second}");
        clock.advance(waits[1]);
    }
}

#[test]
fn an_idle_time_saves_up_a_tenth_of_a_second_and_no_more() {
    let clock = Clock::manual(chrono::DateTime::UNIX_EPOCH);
    let throttle = Throttle::new(LIMIT, clock.clone());
    clock.advance(Duration::from_hours(1));
    assert_eq!(throttle.charge(LIMIT), Duration::from_millis(900));
}
