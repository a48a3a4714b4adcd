//! What a verification is doing, for its progress on a terminal.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cli::progress::{File, Picture, Total};
use crate::human;

pub(super) struct Work {
    whole: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    files: u64,
    read: u64,
    path: String,
    bytes: u64,
    /// Of the current file.
    done: u64,
}

impl Work {
    /// Of so many bytes.
    pub(super) fn new(whole: u64) -> Self {
        Self {
            whole,
            state: Mutex::default(),
        }
    }

    pub(super) fn begin(&self, path: &str, bytes: u64) {
        let mut state = self.lock();
        state.files += u64::from(!state.path.is_empty());
        path.clone_into(&mut state.path);
        (state.bytes, state.done) = (bytes, 0);
    }

    pub(super) fn read(&self, bytes: u64) {
        let mut state = self.lock();
        state.read += bytes;
        state.done += bytes;
    }

    pub(super) fn picture(&self) -> Picture {
        let state = self.lock();
        let file = File {
            name: state.path.clone(),
            done: state.done,
            bytes: state.bytes,
        };
        let current = (!state.path.is_empty()).then(|| (state.path.clone(), file));
        Picture {
            files: current.into_iter().collect(),
            total: Total {
                text: format!("{} verified", human::count(state.files, "file")),
                done: state.read,
                // The last file of a budget is read to its end.
                bytes: self.whole.max(state.read),
                moved: state.read,
            },
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
