//! Hosts that are rate-limiting us (`Retry-After`). All requests to a host share this; callers store it in the
//! database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The wait if a host is rate-limiting us without a valid `Retry-After`.
const DEFAULT: Duration = Duration::from_secs(30);
/// The longest wait, whatever a host demands.
const LONGEST: Duration = Duration::from_hours(1);

/// The hosts that are rate-limiting us. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Cooldowns(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    until: HashMap<String, DateTime<Utc>>,
    changed: bool,
}

impl Cooldowns {
    /// Starts with the rate limits that an earlier process stored.
    #[must_use]
    pub fn load(kept: Vec<(String, DateTime<Utc>)>) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            until: kept.into_iter().collect(),
            changed: false,
        })))
    }

    /// When a host's rate limit ends; `None`: there is none at `now`.
    #[must_use]
    pub fn until(&self, host: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let until = self.lock().until.get(host).copied()?;
        // If the wall clock was set back, the host must not be blocked for years.
        (until > now && until <= now + LONGEST).then_some(until)
    }

    /// Records that a host is rate-limiting us: `retry_after` is the header, unchanged, `date` the time of the
    /// answer. Returns the end by our clock, which may differ from the host's.
    #[must_use]
    pub fn ask(
        &self,
        host: &str,
        retry_after: Option<&str>,
        date: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> DateTime<Utc> {
        let asked_at = date.unwrap_or(now);
        let until = now + retry_after.map_or(DEFAULT, |header| parse_retry_after(header, asked_at));
        let mut inner = self.lock();
        inner.until.insert(host.to_owned(), until);
        inner.changed = true;
        until
    }

    /// The rate limits to store, if any changed since the last call.
    #[must_use]
    pub fn take_changed(&self, now: DateTime<Utc>) -> Option<Vec<(String, DateTime<Utc>)>> {
        let mut inner = self.lock();
        if !std::mem::take(&mut inner.changed) {
            return None;
        }
        inner.until.retain(|_, until| *until > now);
        Some(inner.until.clone().into_iter().collect())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads `Retry-After` (RFC 9110, 10.2.3): seconds or an HTTP date, kept within one second and one hour.
/// An invalid header means 30 seconds.
#[must_use]
pub fn parse_retry_after(header: &str, now: DateTime<Utc>) -> Duration {
    retry_after(header, now)
        .unwrap_or(DEFAULT)
        .clamp(Duration::from_secs(1), LONGEST)
}

/// Reads `Retry-After` (RFC 9110, 10.2.3): seconds or an HTTP date; `None`: it is neither.
#[must_use]
pub fn retry_after(header: &str, now: DateTime<Utc>) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too many digits for u64 mean a very long time.
        Some(Duration::from_secs(header.parse().unwrap_or(u64::MAX)))
    } else {
        parse_http_date(header).map(|at| {
            (at - now)
                .max(TimeDelta::zero())
                .to_std()
                .unwrap_or_default()
        })
    }
}

/// Reads an HTTP date in its current form, such as `Sun, 06 Nov 1994 08:49:37 GMT`, or in one of the two
/// obsolete ones (RFC 9110, 5.6.7).
/// Years outside 1970–9999 are refused: calculating with them could overflow.
#[must_use]
pub fn parse_http_date(text: &str) -> Option<DateTime<Utc>> {
    const FORMS: [&str; 3] = [
        "%a, %d %b %Y %H:%M:%S GMT",
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y",
    ];
    FORMS
        .iter()
        .find_map(|form| chrono::NaiveDateTime::parse_from_str(text.trim(), form).ok())
        .map(|time| time.and_utc())
        .filter(|time| (0..=253_402_300_799).contains(&time.timestamp()))
}

#[cfg(test)]
mod tests;
