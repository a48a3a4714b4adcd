//! Whether an object has to be looked for before it is written. A look is a request of its own, which for a small file
//! takes as long as the upload. It is unnecessary where the store refuses a second object under a key, as it was seen to
//! do.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use super::{Receipt, StoreError, Trouble};

/// How often it is tried to find out what a store does.
const TRIES: u8 = 3;

/// What is known of a store in this respect.
#[derive(Debug, Default)]
pub(super) struct FirstLook {
    /// Whether it refuses a second object under a key.
    refuses: OnceLock<bool>,
    /// How often that was tried, and whether it is being tried.
    tries: AtomicU8,
    trying: AtomicBool,
    /// The last key had an object already, and others may: those of a lost database, say.
    taken: AtomicBool,
}

impl FirstLook {
    /// Whether the store is known to refuse a second object under a key.
    pub(super) fn refuses(&self) -> bool {
        self.refuses.get() == Some(&true)
    }

    /// Whether the key of a recording has to be looked at.
    pub(super) fn is_needed(&self) -> bool {
        !self.refuses() || self.taken.load(Ordering::Relaxed)
    }

    /// Notes whether there was an object under the key of a recording.
    pub(super) fn was_taken(&self, taken: bool) {
        self.taken.store(taken, Ordering::Relaxed);
    }

    /// Finds out what the store does, if that is not known, by creating an object `again` that was created just now, with
    /// the same content: if the store takes it, nothing is lost.
    pub(super) async fn find_out(&self, again: impl Future<Output = Result<Receipt, StoreError>>) {
        if self.trying.swap(true, Ordering::Acquire) {
            return;
        }
        // Only now: another may just have found it out.
        let known = self.refuses.get().is_some();
        let tries = self.tries.load(Ordering::Relaxed);
        if !known && tries < TRIES {
            self.tries.store(tries + 1, Ordering::Relaxed);
            let refuses = match again.await.map_err(|error| error.trouble) {
                Err(Trouble::Exists) => Some(true),
                // Some stores limit how often one key is written.
                Ok(_) | Err(Trouble::Unsupported | Trouble::SlowDown { .. }) => Some(false),
                Err(_) => None,
            };
            if let Some(refuses) = refuses {
                _ = self.refuses.set(refuses);
            }
        }
        self.trying.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(trouble: Option<Trouble>) -> Result<Receipt, StoreError> {
        let receipt = Receipt {
            etag: None,
            version: None,
        };
        trouble.map_or(Ok(receipt), |trouble| {
            Err(StoreError::new(trouble, "write", ""))
        })
    }

    #[tokio::test]
    async fn without_a_look_only_where_a_second_object_was_seen_to_be_refused_and_keys_are_free() {
        let look = FirstLook::default();
        assert!(look.is_needed());
        for trouble in [Trouble::Unavailable, Trouble::Conflict] {
            look.find_out(async { answer(Some(trouble)) }).await;
            assert!(look.is_needed(), "{trouble:?} says nothing");
        }
        look.find_out(async { answer(Some(Trouble::Exists)) }).await;
        assert!(!look.is_needed());
        look.was_taken(true);
        assert!(look.is_needed() && look.refuses());
        look.was_taken(false);
        assert!(!look.is_needed());
    }

    #[tokio::test]
    async fn a_store_that_takes_a_second_object_or_never_says_is_always_looked_at() {
        for trouble in [None, Some(Trouble::Unsupported), Some(Trouble::Unavailable)] {
            let look = FirstLook::default();
            for _ in 0..TRIES {
                look.find_out(async { answer(trouble) }).await;
            }
            look.find_out(async { answer(Some(Trouble::Exists)) }).await;
            assert!(look.is_needed(), "{trouble:?}");
        }
    }
}
