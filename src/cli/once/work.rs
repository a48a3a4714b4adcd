//! What a single run is doing, for its progress on a terminal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::app::App;
use crate::cli::progress::{File, Picture, Progress, Total};
use crate::download::Board;
use crate::human;
use crate::store::{AttemptOutcome, DueNow};

pub(super) struct Work {
    pass: &'static str,
    /// Once the pass is over: what is to be downloaded.
    due: OnceLock<DueNow>,
    /// Whether the downloads are over, and recordings are copied.
    copies: AtomicBool,
}

impl Work {
    pub(super) fn new(sweep: bool) -> Self {
        Self {
            pass: if sweep {
                "sweeping SignalWire …"
            } else {
                "polling SignalWire …"
            },
            due: OnceLock::new(),
            copies: AtomicBool::new(false),
        }
    }

    /// The pass is over: these recordings are downloaded now.
    pub(super) fn downloads(&self, due: DueNow) {
        // Set once: there is one pass.
        _ = self.due.set(due);
    }

    /// The downloads are over: recordings are copied to object stores.
    pub(super) fn copies(&self) {
        self.copies.store(true, Ordering::Relaxed);
    }

    pub(super) fn show(self: &Arc<Self>, app: &App) -> Progress {
        let (work, board) = (self.clone(), app.board.clone());
        Progress::show(app.clock.clone(), move || work.picture(&board))
    }

    fn picture(&self, board: &Board) -> Picture {
        let Some(due) = self.due.get() else {
            let total = Total {
                text: self.pass.to_owned(),
                ..Total::default()
            };
            return Picture {
                total,
                ..Picture::default()
            };
        };
        if self.copies.load(Ordering::Relaxed) {
            let total = Total {
                text: "copying to object stores …".to_owned(),
                ..Total::default()
            };
            return Picture {
                total,
                ..Picture::default()
            };
        }
        let active = board.active();
        let under_way: u64 = active.iter().map(|(_, progress)| progress.done()).sum();
        let done = board.archived() + under_way;
        let outcomes = board.outcomes();
        let archived = [AttemptOutcome::Archived, AttemptOutcome::Adopted];
        let archived = archived.iter().filter_map(|outcome| outcomes.get(outcome));
        let files = active.into_iter().map(|(id, progress)| {
            let file = File {
                name: progress.room.clone(),
                done: progress.done(),
                bytes: progress.total(),
            };
            (id.to_string(), file)
        });
        Picture {
            files: files.collect(),
            total: Total {
                text: format!(
                    "{} of {}",
                    archived.sum::<u64>(),
                    human::count(due.recordings, "recording")
                ),
                // Reported sizes can be wrong: the whole is never less than what is done.
                bytes: if due.bytes == 0 {
                    0
                } else {
                    due.bytes.max(done)
                },
                done,
                moved: board.received(),
            },
        }
    }
}
