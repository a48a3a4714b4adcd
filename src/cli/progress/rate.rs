//! How fast it goes: over the last seconds, and only when enough of them are known.

use std::collections::VecDeque;
use std::time::Duration;

/// The time that a rate is measured over.
const WINDOW: Duration = Duration::from_secs(10);
/// What is measured over less says nothing.
const LEAST: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub struct Rate {
    /// When how many bytes had been transferred, the oldest first.
    samples: VecDeque<(Duration, u64)>,
}

impl Rate {
    /// Notes how many bytes have been transferred by now.
    pub fn note(&mut self, now: Duration, moved: u64) {
        // Before the first byte nothing is measured: requests and waits come first.
        if moved == 0 {
            self.samples.clear();
        }
        self.samples.push_back((now, moved));
        while self
            .samples
            .get(1)
            .is_some_and(|(at, _)| *at + WINDOW <= now)
        {
            self.samples.pop_front();
        }
    }

    /// Bytes per second; `None` in the first second.
    pub fn per_second(&self) -> Option<u64> {
        let (began, before) = *self.samples.front()?;
        let (ended, after) = *self.samples.back()?;
        let took = ended.checked_sub(began).filter(|took| *took >= LEAST)?;
        let moved = u128::from(after.saturating_sub(before));
        u64::try_from(moved * 1_000 / took.as_millis()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_seconds_and_unknown_in_the_first() {
        let mut rate = Rate::default();
        let at = Duration::from_millis;
        rate.note(at(0), 0);
        rate.note(at(60_000), 0);
        rate.note(at(60_100), 500);
        assert_eq!(rate.per_second(), None);
        rate.note(at(60_900), 900);
        assert_eq!(rate.per_second(), None);
        rate.note(at(61_000), 1_000);
        assert_eq!(rate.per_second(), Some(1_000));
        rate.note(at(71_000), 3_000);
        assert_eq!(rate.per_second(), Some(200));
        rate.note(at(90_000), 3_000);
        rate.note(at(101_000), 3_000);
        assert_eq!(rate.per_second(), Some(0));
    }
}
