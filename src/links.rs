//! The links that listings brought: in memory only, for a download that starts soon.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::{MediaLink, RecordingId, UnreadLink};

/// Links kept at the most: a sweep of a million recordings must not fill the memory with links that
/// expire long before their turn.
const MOST: usize = 2048;
/// How soon the expired ones are looked for again when there was no room.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Links by recording. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Links(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    links: HashMap<RecordingId, UnreadLink>,
    /// When there was last no room for another, although the expired ones were dropped (monotonic).
    full_at: Option<Duration>,
}

impl Links {
    /// Keeps a link, unless there are too many that still live at `now` (monotonic).
    pub fn offer(&self, id: RecordingId, link: UnreadLink, now: Duration) {
        let mut held = self.lock();
        if held.links.len() >= MOST && !held.links.contains_key(&id) {
            // A sweep offers a million: not each may look through all that are held.
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

    /// Takes a recording's link, if it is there and lives for `at_least` at `now` (monotonic).
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
