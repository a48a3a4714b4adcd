//! Webhooks: sends what the outbox holds, signed (Standard Webhooks, <https://www.standardwebhooks.com>).
//!
//! Each webhook has one request under way at the most, and a pace of its own: one that is slow or dead delays neither
//! another nor the archive. An event is delivered at least once, always with the same id.

mod body;
mod endpoint;
mod pace;
mod signature;
mod worker;

pub use endpoint::{Answer, Endpoint, Options};
pub use worker::{Notifier, Step};
