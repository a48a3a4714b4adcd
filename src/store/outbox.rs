//! The events for webhooks, and what was delivered to whom. An event is written in the transaction of the
//! change itself; with no webhook that wants it, nothing is written.

mod deliveries;
mod emit;
mod endpoints;
mod prune;
mod replay;
mod route;

pub use deliveries::{Attempted, Delivery, Failed};
pub(super) use emit::{copied_event, damaged_events, recording_event};
pub use endpoints::{Backlog, WebhookRow, WebhookState};
pub use replay::Replay;
pub use route::Happened;

/// Events kept at the most, whoever still waits for them: some hundred MiB.
pub(super) const MOST_EVENTS: u32 = 100_000;

#[cfg(test)]
pub(super) const STATEMENTS: &[&[&str]] = &[
    deliveries::STATEMENTS,
    emit::STATEMENTS,
    endpoints::STATEMENTS,
    prune::STATEMENTS,
    replay::STATEMENTS,
    route::STATEMENTS,
];

#[cfg(test)]
mod tests;
