//! Writing to stdout without `println!`, which panics when the reader (`head`, a pager) has gone.
//! A closed stdout ends a command quietly and is no failure.

use std::io::{self, BufWriter, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use super::exit::Exit;

/// With `--quiet` only errors are printed.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Prints nothing but errors from now on.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Whether only errors are printed.
#[must_use]
pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Marks a broken pipe as that of stdout, not of another stream.
#[derive(Debug, thiserror::Error)]
#[error("stdout is closed")]
struct Closed;

/// The buffered stdout. Flush it at the end: dropping it hides errors.
pub struct Stdout(BufWriter<io::StdoutLock<'static>>);

/// Locks stdout for this thread.
#[must_use]
pub fn stdout() -> Stdout {
    Stdout(BufWriter::new(io::stdout().lock()))
}

/// Writes the whole text to stdout, unless the command is to be quiet. An error may mean that stdout was closed, see
/// [`is_closed`].
pub fn print(text: &str) -> io::Result<()> {
    if is_quiet() {
        return Ok(());
    }
    data(text)
}

/// Prints what a command did. A quiet one prints it only if not all is well, and then as an error.
pub fn report(text: &str, exit: Exit) -> io::Result<()> {
    if is_quiet() && exit != Exit::Done {
        // When stderr is closed there is no one to write to.
        let _ = io::stderr().write_all(text.as_bytes());
    }
    print(text)
}

/// Prints one JSON object: it was asked for, so also by a quiet command.
pub fn json(object: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(object)?;
    data(&(text + "\n"))
}

/// Writes the whole text to stdout, also by a quiet command.
pub fn data(text: &str) -> io::Result<()> {
    let mut out = stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Whether an error was caused by a closed stdout.
#[must_use]
pub fn is_closed(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let inner = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        matches!(inner, Some(inner) if inner.is::<Closed>())
    })
}

fn mark<T>(result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => io::Error::new(io::ErrorKind::BrokenPipe, Closed),
        _ => error,
    })
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        mark(self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        mark(self.0.flush())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn only_a_closed_stdout_counts_as_closed() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        let ours = mark::<()>(Err(broken())).context("could not print the list");
        assert!(is_closed(&ours.unwrap_err()));
        assert!(!is_closed(&anyhow::Error::from(broken())));
        let full = mark::<()>(Err(io::ErrorKind::StorageFull.into()));
        assert!(!is_closed(&full.unwrap_err().into()));
    }
}
