//! The only source of time: the system's clock, or one that tests set.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// Gives the wall-clock time and a monotonic time that no clock adjustment moves.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { start: Instant },
    Manual(Arc<Mutex<(DateTime<Utc>, Duration)>>),
}

impl Clock {
    /// The system's clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn system() -> Self {
        Self(Source::System {
            start: Instant::now(),
        })
    }

    /// A clock that stays at `start` until [`Clock::advance`] moves it; clones share it.
    #[must_use]
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self(Source::Manual(Arc::new(Mutex::new((
            start,
            Duration::ZERO,
        )))))
    }

    /// The wall-clock time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System { .. } => Utc::now(),
            Source::Manual(time) => time.lock().unwrap_or_else(PoisonError::into_inner).0,
        }
    }

    /// Time since this clock was made, on the monotonic clock.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        match &self.0 {
            Source::System { start } => start.elapsed(),
            Source::Manual(time) => time.lock().unwrap_or_else(PoisonError::into_inner).1,
        }
    }

    /// Sets a manual clock's wall time, like an administrator or NTP: its monotonic time does not change. Does
    /// nothing to the system's clock.
    pub fn set_wall(&self, now: DateTime<Utc>) {
        if let Source::Manual(time) = &self.0 {
            time.lock().unwrap_or_else(PoisonError::into_inner).0 = now;
        }
    }

    /// Advances both times of a manual clock. Does nothing to the system's clock.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(time) = &self.0 {
            let mut time = time.lock().unwrap_or_else(PoisonError::into_inner);
            time.0 += by;
            time.1 += by;
        }
    }
}
