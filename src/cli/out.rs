//! Writing to stdout without `println!`, which panics when the reader (`head`, a pager) has gone.
//! A closed stdout ends a command quietly and is no failure.

use std::io::{self, BufWriter, Write};

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

/// Writes the whole text to stdout. An error may mean that it was closed, see [`is_closed`].
pub fn print(text: &str) -> io::Result<()> {
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
