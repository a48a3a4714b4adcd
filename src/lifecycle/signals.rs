//! The signals the daemon obeys, as one stream.

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

/// Lets a write beyond the limit of a file's size (`ulimit -f`) fail like one to a full disk; by default
/// its signal kills the process.
///
/// # Errors
///
/// The system refuses a handler.
pub fn survive_size_limits() -> io::Result<()> {
    // The handler stays; nobody has to listen to it.
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
}

/// The signals that came and are not yet obeyed.
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
        // Room for one: more of the same wait with the system, as one.
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
