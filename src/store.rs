//! The archive's memory: one SQLite database in WAL mode.
//!
//! One writer connection that never expires, and a small pool of readers. Every write is a short
//! transaction that begins IMMEDIATE; none is ever open across a request. Rows are private to this
//! module: what goes in and comes out are types of `model`. Whatever is read or written fails with [`Error`] if the
//! database fails.

mod copies;
mod discovery;
mod error;
mod evictions;
mod facts;
mod file;
mod files;
mod handle;
mod meta;
mod outbox;
mod read;
mod restore;
mod rows;
mod sidecars;
mod trouble;
mod work;

pub use copies::{
    Copied, CopyFacts, CopyFailure, CopyOf, CopyRow, CopyState, SeenObject, TargetId, TargetName,
    TargetRow, UnseenSidecar, Upload, UploadRow, VerifiableCopy,
};
pub use discovery::{
    Applied, DueSession, Horizon, NEXT_PASS, Pass, PassCounts, PassKind, PassOutcome, Placement,
    Plan, Seen, Unseen, UnseenRecording,
};
pub use error::{Error, Result};
use error::{during, exactly_one};
pub use evictions::{ArchivedFile, Evictable, Fetchable, HeldCopy};
pub use facts::{Facts, Passes, Pause, Unarchived, Unfinished};
pub use file::{OpenError, refuse_damaged};
pub use files::{Compared, Found, Verifiable};
pub use handle::{Access, Store};
use handle::{LONGEST_WAIT, on};
pub use meta::{PauseKind, PauseRow};
pub use outbox::{
    Attempted, Backlog, Delivery, Failed, Happened, Replay, WebhookRow, WebhookState,
};
pub use read::{
    Attempt, Candidate, Counts, Detail, DueNow, FailedAttempt, Failure, Filter, Gap, Key, LastPass,
    Left, Row,
};
pub use restore::{Restored, RestoredCopy};
pub use sidecars::{Described, DueSidecar, NotedConcern, Written};
pub use trouble::Trouble;
use work::Ends;
pub use work::{
    AttemptOutcome, Claim, Doubt, Ending, Landed, Order, Part, Retried, Retry, Tally, WaitsFor,
};

#[cfg(test)]
mod tests;
