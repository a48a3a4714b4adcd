//! The links from listings: only in memory, for downloads that start soon.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::{MediaLink, RecordingId, UnreadLink};

/// The most links kept: a sweep of a million recordings must not fill the memory with links that expire
/// before their download.
const MOST: usize = 2048;
/// How long after a failed search for expired links the next one may start.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Links by recording. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Links(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    links: HashMap<RecordingId, UnreadLink>,
    /// When a search for expired links last freed no space (monotonic).
    full_at: Option<Duration>,
}

impl Links {
    /// Keeps a link, unless there are too many that are still valid at `now` (monotonic).
    pub fn offer(&self, id: RecordingId, link: UnreadLink, now: Duration) {
        let mut held = self.lock();
        if held.links.len() >= MOST && !held.links.contains_key(&id) {
            // A sweep offers a million links: not each offer may search all kept ones.
            if held.full_at.is_some_and(|at| now < at + LOOK_AGAIN) {
                return;
            }
            held.links.retain(|_, link| !link.is_expired(now));
            if held.links.len() >= MOST {
                held.full_at = Some(now);
                return;
            }
        }
        held.links.insert(id, link);
    }

    /// Takes a recording's link, if there is one that is valid for `at_least` from `now` (monotonic) on.
    #[must_use]
    pub fn take(&self, id: RecordingId, at_least: Duration, now: Duration) -> Option<MediaLink> {
        self.lock()
            .links
            .remove(&id)?
            .read(id)
            .filter(|link| link.life_left(now) >= at_least)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
