//! Log lines for the journal, a terminal or a machine: always on stderr, always safe to show.
//!
//! Only our own lines follow the level. Libraries at debug would print links and SQL.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber, error};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::{Layer, fmt as layers, reload};

use crate::clock::Clock;
use crate::escape;

/// The configured format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For the journal if stderr goes there, else text.
    #[default]
    Auto,
    /// A UTC time stamp, the level, the message and its fields.
    Text,
    /// One JSON object per line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, Error)]
pub enum LogError {
    /// The process has a subscriber already.
    #[error("logging is set up already")]
    Already,
    /// The subscriber is gone.
    #[error("could not change the log level: {0}")]
    Reload(#[from] reload::Error),
}

/// The process's logging, whose level can be changed while it runs.
#[derive(Clone, Debug)]
pub struct Logs(reload::Handle<Targets, Registry>);

impl Logs {
    /// Sets logging up for the whole process, panics included.
    ///
    /// # Errors
    ///
    /// [`LogError::Already`] the second time.
    pub fn init(level: LevelFilter, format: LogFormat, clock: Clock) -> Result<Self, LogError> {
        let journal = std::env::var_os("JOURNAL_STREAM");
        let style = match format {
            LogFormat::Json => Style::Json,
            LogFormat::Auto if is_journal(journal.as_deref(), io::stderr()) => Style::Journal,
            LogFormat::Auto | LogFormat::Text => Style::Text,
        };
        // If stderr is closed, the line is lost: that must not stop the work.
        let to_stderr = |line: &[u8]| drop(io::stderr().write_all(line));
        let (subscriber, logs) = build(level, style, clock, Arc::new(to_stderr));
        tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Already)?;
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            let reason = panic.payload_as_str().unwrap_or("no reason given");
            error!(panic.location = place, "panicked: {reason}");
        }));
        Ok(logs)
    }

    /// Changes the level of our own lines.
    ///
    /// # Errors
    ///
    /// [`LogError::Reload`] when logging has ended.
    pub fn set_level(&self, level: LevelFilter) -> Result<(), LogError> {
        Ok(self.0.reload(targets(level))?)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Journal,
    Text,
    Json,
}

fn build(level: LevelFilter, style: Style, clock: Clock, sink: Sink) -> (impl Subscriber, Logs) {
    let (filter, handle) = reload::Layer::new(targets(level));
    let lines = Lines {
        sink,
        json: style == Style::Json,
    };
    // tracing-subscriber prints internal errors with a macro that panics when stderr is closed.
    let layer = layers::layer()
        .with_writer(lines)
        .log_internal_errors(false)
        .with_ansi(false)
        .with_timer(Stamp(clock));
    let layer = match style {
        Style::Journal => layer.event_format(Prefixed::default()).boxed(),
        Style::Text => layer.boxed(),
        Style::Json => layer.json().flatten_event(true).boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(filter).with(layer);
    (subscriber, Logs(handle))
}

/// Our lines at `level`, those of libraries at most at warn, and no slow statements of sqlx: they contain SQL.
fn targets(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("sqlx::query", LevelFilter::OFF)
        .with_target("room_archiver", level)
}

/// Whether `stderr` is the stream to the journal that `JOURNAL_STREAM` names as device and
/// inode, per systemd.exec(5): the variable alone is inherited by shells and pipes too.
fn is_journal(stream: Option<&OsStr>, stderr: impl AsFd) -> bool {
    let named = stream
        .and_then(OsStr::to_str)
        .and_then(|s| s.split_once(':'));
    let Some((device, inode)) = named else {
        return false;
    };
    rustix::fs::fstat(stderr)
        .is_ok_and(|stat| device.parse() == Ok(stat.st_dev) && inode.parse() == Ok(stat.st_ino))
}

/// UTC to the millisecond, by our clock.
struct Stamp(Clock);

impl FormatTime for Stamp {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let now = self.0.now();
        writer.write_str(&now.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// Lines for the journal: a syslog priority, as in sd-daemon(3), for level and time.
struct Prefixed(Format<Full, ()>);

impl Default for Prefixed {
    fn default() -> Self {
        Self(
            layers::format()
                .without_time()
                .with_level(false)
                .with_ansi(false),
        )
    }
}

impl<S, N> FormatEvent<S, N> for Prefixed
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}

/// Where whole lines go.
type Sink = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// Makes every event one harmless line. It never fails.
#[derive(Clone)]
struct Lines {
    sink: Sink,
    json: bool,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Lines {
    /// Takes one formatted event: tracing-subscriber writes each in one call.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let mut line = if self.json {
            escape_json(text)
        } else {
            escape::line(text).into_owned()
        };
        line.push('\n');
        (self.sink)(line.as_bytes());
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Escapes the same characters as [`escape::line`] in JSON's own way. In compact JSON they
/// occur within strings only.
fn escape_json(text: &str) -> String {
    use fmt::Write;

    if matches!(escape::line(text), Cow::Borrowed(_)) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if matches!(escape::line(c.encode_utf8(&mut [0; 4])), Cow::Borrowed(_)) {
            safe.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(safe, "\\u{unit:04x}");
        }
    }
    safe
}

#[cfg(test)]
mod tests;
