//! Logging as configured.

use anyhow::Result;
use tracing_subscriber::filter::LevelFilter;

use crate::clock::Clock;
use crate::config::{Config, LogFormat, LogLevel};
use crate::telemetry::logs::{self, Logs};

/// Sets up logging as configured.
///
/// # Errors
/// If something in this process logs already.
pub fn init_logs(config: &Config, clock: &Clock) -> Result<Logs> {
    let (level, format) = (level(config.log.level), format(config.log.format));
    Ok(Logs::init(level, format, clock.clone())?)
}

pub(super) fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

fn format(format: LogFormat) -> logs::LogFormat {
    match format {
        LogFormat::Auto => logs::LogFormat::Auto,
        LogFormat::Text => logs::LogFormat::Text,
        LogFormat::Json => logs::LogFormat::Json,
    }
}
