//! What a refused request means: an object that may not be read, or invalid credentials.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::error::Error;

/// If this many different objects are refused in a row, the credentials are invalid.
const REFUSED_IN_A_ROW: usize = 3;
/// The list that valid credentials can always read.
pub(super) const SESSIONS: &str = "/api/video/room_sessions";
/// The query of a request for that list that only checks API and credentials: its success does not end a
/// row of refusals.
pub(super) const PROBE: &str = "page_size=1";

/// Hashes of the objects refused in a row: one that is refused several times counts once.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Vec<u64>>);

impl Refusals {
    /// The error for the refusal of `path`.
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

    /// The credentials were accepted.
    pub(super) fn accepted(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
