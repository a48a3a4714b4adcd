//! When figures are read again that take a while.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;

/// How often the figures are read though nothing was written: some change with the time.
const UNCHANGED: Duration = Duration::from_mins(5);
/// Times of files are coarse: what was written so shortly before a read may have come after it.
const COARSE: TimeDelta = TimeDelta::seconds(1);
/// The part of the time that may be spent on reading figures: counting a million rows takes a while.
const SHARE: u32 = 100;

/// When something is read again that takes a while.
#[derive(Default)]
pub(super) struct Turn {
    /// Not before, on the monotonic clock.
    next: Duration,
    /// When the last read began.
    began: DateTime<Utc>,
}

impl Turn {
    /// Whether it is to be read now, if the database was last written to at this time; the two clocks' times.
    pub(super) fn begin(
        &self,
        clock: &Clock,
        written: Option<DateTime<Utc>>,
    ) -> Option<(Duration, DateTime<Utc>)> {
        let now = clock.monotonic();
        let changed = written.is_none_or(|written| written + COARSE >= self.began);
        let due = now >= self.next && (changed || now >= self.next + UNCHANGED);
        due.then(|| (now, clock.now()))
    }

    /// It was read from `began` to now.
    pub(super) fn end(&mut self, (began, began_at): (Duration, DateTime<Utc>), clock: &Clock) {
        let now = clock.monotonic();
        self.next = now + now.saturating_sub(began) * SHARE;
        self.began = began_at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_again_once_something_was_written_and_now_and_then() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
        let mut turn = Turn::default();
        let mut reads = |seconds, written| {
            clock.advance(Duration::from_secs(seconds));
            let began = turn.begin(&clock, Some(written));
            if let Some(began) = began {
                turn.end(began, &clock);
            }
            began.is_some()
        };
        let start = clock.now();
        assert!(reads(0, start), "never before");
        assert!(reads(2, start), "perhaps written after that read");
        assert!(!reads(2, start));
        assert!(reads(2, start + TimeDelta::seconds(4)));
        assert!(!reads(298, start + TimeDelta::seconds(4)));
        assert!(reads(2, start), "some minutes after the last");
    }
}
