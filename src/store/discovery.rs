//! What SignalWire has, as polls and sweeps find it.

mod lost;
mod passes;
mod recordings;
mod seen;
mod sessions;
mod upsert;

pub use passes::{Pass, PassCounts, PassKind, PassOutcome};
pub use recordings::{Applied, Placement, Plan};
pub use seen::{Seen, Unseen, UnseenRecording};
pub use sessions::{DueSession, Horizon, NEXT_PASS};

#[cfg(test)]
pub(super) const STATEMENTS: &[&[&str]] = &[
    lost::STATEMENTS,
    passes::STATEMENTS,
    recordings::STATEMENTS,
    seen::STATEMENTS,
    sessions::STATEMENTS,
    upsert::STATEMENTS,
];
