//! Short critical sections: a closure can't hold its lock across an await.

use std::sync::{Mutex, PoisonError};

/// Does `work` under the lock. A test that panicked in a hook does not take the space down with it.
pub(crate) fn locked<T, R>(mutex: &Mutex<T>, work: impl FnOnce(&mut T) -> R) -> R {
    work(&mut mutex.lock().unwrap_or_else(PoisonError::into_inner))
}
