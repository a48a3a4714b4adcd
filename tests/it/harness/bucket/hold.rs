//! Requests that are held, so that the program can be stopped or killed at each of them.

use std::collections::BTreeSet;

use super::Bucket;

pub(super) struct Hold {
    after: bool,
    passed: BTreeSet<String>,
    held: Option<String>,
}

impl Bucket {
    /// Holds the next request for each step that was not held before, before it is done or after.
    pub fn hold(&self, after: bool) {
        self.lock().hold = Some(Hold {
            after,
            passed: BTreeSet::new(),
            held: None,
        });
    }

    /// Waits for a request to be held, and returns its step; `None` if there was none for some seconds.
    pub fn held(&self, mut done: impl FnMut() -> bool) -> Option<String> {
        for _ in 0..3000 {
            if let Some(step) = self.lock().hold.as_ref().and_then(|hold| hold.held.clone()) {
                return Some(step);
            }
            if done() {
                return None;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("no request was held");
    }

    /// Lets what is held end, without an answer.
    pub fn release(&self) {
        if let Some(hold) = &mut self.lock().hold {
            hold.held = None;
        }
        self.state.1.notify_all();
    }

    /// Waits, if this step is one to be held. Returns whether it was.
    pub(super) fn wait(&self, step: &str, after: bool) -> bool {
        let mut state = self.lock();
        let Some(hold) = state.hold.as_mut().filter(|hold| hold.after == after) else {
            return false;
        };
        if !hold.passed.insert(step.to_owned()) {
            return false;
        }
        hold.held = Some(step.to_owned());
        while state
            .hold
            .as_ref()
            .is_some_and(|hold| hold.held.as_deref() == Some(step))
        {
            state = self.state.1.wait(state).expect("no panic");
        }
        true
    }
}
