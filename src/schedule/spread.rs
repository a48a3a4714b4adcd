//! Many instances on one machine have the same schedules. Each begins a little later than the schedule says, by a time of
//! its own that stays the same, so that they do not all begin in the same second.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};

use super::Schedule;

/// The longest delay, however long the interval of the schedule is.
const MOST: TimeDelta = TimeDelta::hours(1);
/// Slots that are looked at for the shortest time between two.
const SLOTS: usize = 60;

impl Schedule {
    /// The same schedule with each slot later by a time that depends on the archive alone: whole seconds, shorter than
    /// the time between two slots, and at most an hour.
    #[must_use]
    pub fn spread(&self, archive: &str) -> Self {
        let most = self.shortest_interval().min(MOST).num_seconds();
        let digest = Sha256::digest(archive.as_bytes());
        let number = u64::from_be_bytes(std::array::from_fn(|at| digest[at]));
        let offset = number % most.max(1).cast_unsigned();
        self.later(Duration::from_secs(offset))
    }

    /// The same schedule with each slot later by this much.
    #[must_use]
    pub fn later(&self, offset: Duration) -> Self {
        Self {
            offset: TimeDelta::from_std(offset).unwrap_or_default(),
            ..self.clone()
        }
    }

    /// How much later its slots are than its text says.
    #[must_use]
    pub fn offset(&self) -> Duration {
        self.offset.to_std().unwrap_or_default()
    }

    fn shortest_interval(&self) -> TimeDelta {
        let slots = std::iter::successors(self.next_after(DateTime::<Utc>::UNIX_EPOCH), |slot| {
            self.next_after(*slot)
        });
        let slots: Vec<_> = slots.take(SLOTS).collect();
        let intervals = slots.windows(2).map(|pair| pair[1] - pair[0]);
        intervals.min().unwrap_or(MOST)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn schedule(text: &str) -> Schedule {
        text.parse().expect("a schedule")
    }

    fn at(text: &str) -> DateTime<Utc> {
        crate::model::time::parse(text).expect("a time")
    }

    fn offset(text: &str, archive: usize) -> u64 {
        let spread = schedule(text).spread(&format!("archive-{archive}"));
        spread.offset().as_secs()
    }

    #[test]
    fn fifty_archives_begin_all_over_the_interval_and_each_always_at_the_same_time() {
        let five = "0 */5 * * * *";
        let offsets: BTreeSet<_> = (0..50).map(|archive| offset(five, archive)).collect();
        assert!(offsets.len() > 40, "{offsets:?}");
        assert!(offsets.iter().all(|offset| *offset < 300), "{offsets:?}");
        assert!(
            offsets.iter().any(|offset| *offset < 60) && offsets.iter().any(|offset| *offset > 240)
        );
        assert_eq!(offset(five, 1), offset(five, 1));
    }

    #[test]
    fn the_delay_is_shorter_than_the_shortest_interval_and_than_an_hour() {
        for (text, most) in [
            ("* * * * * *", 1),
            ("*/2 * * * * *", 2),
            ("0 0,10 * * * *", 600),
            ("0 0 6 * * *", 3600),
            ("0 0 4 * * 0", 3600),
            ("0 0 0 29 2 *", 3600),
        ] {
            let longest = (0..200).map(|archive| offset(text, archive)).max();
            let longest = longest.expect("some");
            assert!(longest < most && longest >= most / 2, "{text}: {longest}");
        }
    }

    #[test]
    fn each_slot_comes_later_and_none_is_left_out() {
        let later = schedule("0 */5 * * * *").later(Duration::from_secs(130));
        let next = |text| later.next_after(at(text));
        assert_eq!(
            next("2026-11-23T20:00:00Z"),
            Some(at("2026-11-23T20:02:10Z"))
        );
        assert_eq!(
            next("2026-11-23T20:02:09.9Z"),
            Some(at("2026-11-23T20:02:10Z"))
        );
        assert_eq!(
            next("2026-11-23T20:02:10Z"),
            Some(at("2026-11-23T20:07:10Z"))
        );
        assert_eq!(
            next("2026-11-23T23:59:59Z"),
            Some(at("2026-11-24T00:02:10Z"))
        );
    }

    #[test]
    fn another_delay_is_another_schedule() {
        let plain = schedule("0 */5 * * * *");
        assert_ne!(plain, plain.later(Duration::from_secs(1)));
        assert_eq!(
            plain.to_string(),
            plain.later(Duration::from_secs(1)).to_string()
        );
    }
}
