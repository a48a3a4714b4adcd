//! The filter in force: shared with a pass under way, so that what it lists after a reload is placed by
//! the new one.

use std::sync::{Arc, PoisonError, RwLock};

use super::RoomFilter;

/// The filter in force. Clones share it.
#[derive(Debug, Clone)]
pub struct Filter(Arc<RwLock<Arc<RoomFilter>>>);

impl Filter {
    /// Puts a first one in force.
    #[must_use]
    pub fn new(filter: RoomFilter) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(filter))))
    }

    /// Puts another one in force, from the next recording on.
    pub fn set(&self, filter: RoomFilter) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(filter);
    }

    pub(super) fn now(&self) -> Arc<RoomFilter> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
