//! The downloads: what is due is claimed, and each attempt ends in a state. Every change of state is guarded by
//! the state it starts from.

mod claim;
mod endings;
mod part;
mod recover;
mod retry;

pub use claim::{Claim, Doubt, Order};
pub(super) use endings::Ends;
pub use endings::{AttemptOutcome, Ending, Landed, Retry, Tally, WaitsFor};
pub use part::Part;
pub use retry::Retried;
