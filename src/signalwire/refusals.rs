//! What refused requests mean: a single object that may not be read, or credentials that are not valid.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::error::Error;

/// So many different objects refused in a row mean the credentials.
const REFUSED_IN_A_ROW: usize = 3;
/// The list that everybody with valid credentials can read.
pub(super) const SESSIONS: &str = "/api/video/room_sessions";
/// The query of a request for that list that only finds out whether the API and the credentials work: its
/// success is no success of an object.
pub(super) const PROBE: &str = "page_size=1";

/// The objects refused in a row: one that is refused again and again counts once.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Vec<u64>>);

impl Refusals {
    /// What it means that `path` was refused.
    pub(super) fn refused(&self, path: &str, status: u16) -> Error {
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        let hash = hasher.finish();
        let mut refused = self.lock();
        if refused.len() < REFUSED_IN_A_ROW && !refused.contains(&hash) {
            refused.push(hash);
        }
        if path == SESSIONS || refused.len() >= REFUSED_IN_A_ROW {
            return Error::Credentials { status };
        }
        Error::Refused {
            request: path.to_owned(),
            status,
        }
    }

    /// The credentials were taken.
    pub(super) fn taken(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
