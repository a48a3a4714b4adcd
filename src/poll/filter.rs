//! The filter in force. A running pass shares it, so that a reload applies to everything listed after it.

use std::sync::{Arc, PoisonError, RwLock};

use super::RoomFilter;

/// The filter in force. Clones share it.
#[derive(Debug, Clone)]
pub struct Filter(Arc<RwLock<Arc<RoomFilter>>>);

impl Filter {
    /// Begins with this filter.
    #[must_use]
    pub fn new(filter: RoomFilter) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(filter))))
    }

    /// Replaces the filter from the next recording on.
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
