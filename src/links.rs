//! The links that listings brought: in memory only, for a download that starts soon.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::{MediaLink, RecordingId};

/// Links kept at the most: a sweep of a million recordings must not fill the memory with links that
/// expire long before their turn.
const MOST: usize = 2048;

/// Links by recording. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Links(Arc<Mutex<HashMap<RecordingId, MediaLink>>>);

impl Links {
    /// Keeps a link, unless there are too many that still live at `now` (monotonic).
    pub fn offer(&self, id: RecordingId, link: MediaLink, now: Duration) {
        let mut links = self.lock();
        if links.len() >= MOST && !links.contains_key(&id) {
            links.retain(|_, link| !link.life_left(now).is_zero());
            if links.len() >= MOST {
                return;
            }
        }
        links.insert(id, link);
    }

    /// Takes a recording's link, if it is there and lives for `at_least` at `now` (monotonic).
    #[must_use]
    pub fn take(&self, id: RecordingId, at_least: Duration, now: Duration) -> Option<MediaLink> {
        self.lock()
            .remove(&id)
            .filter(|link| link.life_left(now) >= at_least)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RecordingId, MediaLink>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
