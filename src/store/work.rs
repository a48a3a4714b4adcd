//! The downloads: what is due is claimed, and each attempt ends in a state. Every change of state is guarded by
//! the state it starts from.

mod claim;
mod due;
mod ending;
mod endings;
mod ends;
mod part;
mod recover;
mod retry;

pub use claim::{Claim, Doubt, Order, Part};
pub use ending::{AttemptOutcome, Ending, Landed, Retry, Tally, WaitsFor};
pub(super) use ends::Ends;
pub use retry::Retried;

#[cfg(test)]
pub(super) const STATEMENTS: &[&[&str]] = &[
    due::STATEMENTS,
    endings::STATEMENTS,
    part::STATEMENTS,
    recover::STATEMENTS,
    retry::STATEMENTS,
];
