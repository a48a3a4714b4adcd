//! The space's own time: the system's plus an offset that tests set. Links expire by it and the `Date`
//! header shows it, so that a test can let hours pass, or be years off.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The offset, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicI64);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the fake's clock")]
    pub(crate) fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::milliseconds(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(millis, Ordering::Relaxed);
    }

    pub(crate) fn set_offset(&self, offset: TimeDelta) {
        self.0.store(offset.num_milliseconds(), Ordering::Relaxed);
    }
}
