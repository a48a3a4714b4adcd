//! The signals that the daemon handles, as one stream.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
}

/// Makes a write beyond the file size limit (`ulimit -f`) fail like a write to a full disk; by default
/// SIGXFSZ kills the process.
///
/// # Errors
///
/// The system refuses a handler.
pub fn survive_size_limits() -> io::Result<()> {
    // The handler stays installed after the drop.
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
}

/// The signals that have arrived and are not handled yet.
#[derive(Debug)]
pub struct Signals(mpsc::Receiver<Signal>);

impl Signals {
    /// Catches SIGTERM, SIGINT and SIGHUP from now on; before, they kill the process.
    ///
    /// # Errors
    ///
    /// The system refuses a handler.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn install() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        survive_size_limits()?;
        // Capacity for one: tokio merges more of the same kind into one.
        let (sender, signals) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let signal = tokio::select! {
                    _ = terminate.recv() => Signal::Stop,
                    _ = interrupt.recv() => Signal::Stop,
                    _ = hang_up.recv() => Signal::Reload,
                };
                if sender.send(signal).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self(signals))
    }

    /// Signals that a test sends.
    #[cfg(test)]
    pub(super) fn fake() -> (mpsc::Sender<Signal>, Self) {
        let (sender, signals) = mpsc::channel(8);
        (sender, Self(signals))
    }

    /// The next signal. Safe to cancel.
    pub(super) async fn next(&mut self) -> Signal {
        match self.0.recv().await {
            Some(signal) => signal,
            // The sender lives as long as the runtime.
            None => std::future::pending().await,
        }
    }
}
