//! What an operator sees of the daemon: log, metrics, health.

pub mod http;
pub mod logs;
pub mod metrics;
pub mod ping;
