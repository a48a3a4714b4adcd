//! What is noted of the answer to one request. `object_store` turns answers into errors of texts; decisions need
//! status, code and headers, so the connector notes them here, beside it.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

use crate::escape;

tokio::task_local! {
    /// The request under way of this task. `object_store` sends requests without spawning tasks.
    static CALL: Call;
}

/// The longest text of an error that is kept.
const LONGEST: usize = 200;

/// One answer, as far as it arrived.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub status: Option<u16>,
    /// The code in an error document.
    pub code: Option<String>,
    /// The message in it, or the system's error.
    pub message: Option<String>,
    /// The store's clock.
    pub date: Option<DateTime<Utc>>,
    /// Until when the store is rate-limiting us.
    pub cool_until: Option<DateTime<Utc>>,
    /// Why there was no answer, or none that can be used.
    pub failed: Option<Failed>,
}

/// Why there was no answer that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    /// No connection, or it broke, or nothing moved.
    Transport,
    /// It is too long.
    TooLong,
}

impl Answer {
    /// In a few words, for people.
    pub(super) fn describe(&self) -> String {
        let mut words = Vec::new();
        if let Some(status) = self.status {
            words.push(format!("HTTP {status}"));
        }
        words.extend(self.code.clone());
        words.extend(self.message.clone());
        let text = if words.is_empty() {
            "the answer could not be understood".to_owned()
        } else {
            words.join(", ")
        };
        escape::line(&text).chars().take(LONGEST).collect()
    }
}

/// One request, and how its answer is to be treated.
#[derive(Debug, Clone)]
pub(super) struct Call {
    answer: Arc<Mutex<Answer>>,
    /// The answer is an object: passed on as it arrives, however long.
    pub object: bool,
}

impl Call {
    pub(super) fn new(object: bool) -> Self {
        Self {
            answer: Arc::default(),
            object,
        }
    }

    /// The call that this task is in.
    pub(super) fn current() -> Option<Self> {
        CALL.try_with(Clone::clone).ok()
    }

    /// Runs a request inside this call.
    pub(super) async fn run<F: Future>(&self, request: F) -> F::Output {
        CALL.scope(self.clone(), request).await
    }

    pub(super) fn note(&self, note: impl FnOnce(&mut Answer)) {
        note(&mut self.answer.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn answer(&self) -> Answer {
        self.answer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
