//! Whether a file has to be looked for before it is sent. A look is a request of its own, which for a small file takes
//! as long as the upload. It is unnecessary where the store refuses a second object under a key, as it was seen to do.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is known of a store in this respect.
#[derive(Debug, Default)]
pub(super) struct FirstLook {
    /// Whether it refuses a second object under a key.
    refuses: OnceLock<bool>,
    /// Whether that is being found out.
    asked: AtomicBool,
    /// The last key had an object already, and others may: those of a lost database, say.
    taken: AtomicBool,
}

impl FirstLook {
    /// Whether the key has to be looked at.
    pub(super) fn is_needed(&self) -> bool {
        self.refuses.get() != Some(&true) || self.taken.load(Ordering::Relaxed)
    }

    /// Whether the caller is to find out what the store does with a second object under a key.
    pub(super) fn ask(&self) -> bool {
        self.refuses.get().is_none() && !self.asked.swap(true, Ordering::Relaxed)
    }

    /// Notes what it did; `None`: there was no answer.
    pub(super) fn learned(&self, refuses: Option<bool>) {
        match refuses {
            Some(refuses) => _ = self.refuses.set(refuses),
            None => self.asked.store(false, Ordering::Relaxed),
        }
    }

    /// Notes whether there was an object under a key.
    pub(super) fn was_taken(&self, taken: bool) {
        self.taken.store(taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_look_only_where_a_second_object_was_seen_to_be_refused_and_keys_are_free() {
        let look = FirstLook::default();
        assert!(look.is_needed() && look.ask() && !look.ask());
        look.learned(None);
        assert!(look.is_needed() && look.ask());
        look.learned(Some(true));
        assert!(!look.is_needed() && !look.ask());
        look.was_taken(true);
        assert!(look.is_needed());
        look.was_taken(false);
        assert!(!look.is_needed());
        let other = FirstLook::default();
        other.learned(Some(false));
        assert!(other.is_needed() && !other.ask());
    }
}
