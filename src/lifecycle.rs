//! The life cycle of the process: signals, graceful and immediate stop, critical tasks, and
//! notifications of the service manager.
//!
//! One type for all of it, so that the daemon never runs half: when a critical task ends,
//! everything stops and the exit code shows it.

mod pulse;
mod signals;
mod systemd;

use std::error::Error;
use std::fmt::Display;
use std::future::Future;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::escape;
use crate::human;
use pulse::Pulses;
use signals::Signal;

pub use pulse::Pulse;
pub use signals::{Signals, survive_size_limits};
pub use systemd::Systemd;

/// The default time that tasks have to stop. Less than systemd's 90 s.
pub const GRACE: Duration = Duration::from_secs(30);

/// Starts, watches and stops the process; clones share it.
#[derive(Clone, Debug)]
pub struct Lifecycle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stop: CancellationToken,
    failed: AtomicBool,
    tasks: TaskTracker,
    systemd: Systemd,
    pulses: Arc<Pulses>,
    status: Mutex<String>,
}

/// How the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Stopped by a signal, and every task ended in time.
    Stopped,
    /// A critical task ended before the stop, failed or panicked.
    Failed,
    /// A task did not end in time.
    TimedOut,
    /// A second signal ended the graceful stop.
    Interrupted,
}

impl End {
    /// The exit code: 0 stopped or interrupted, 1 failed or timed out.
    ///
    /// Interrupted is 0: the operator wanted it, no state is lost, and the service manager
    /// must not restart the daemon as after a crash.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Stopped | Self::Interrupted => 0,
            Self::Failed | Self::TimedOut => 1,
        }
    }

    /// Ends the process at once. Returning from `main` instead would wait for blocking
    /// calls that may never return.
    pub fn exit(self) -> ! {
        std::process::exit(self.code().into())
    }
}

impl Lifecycle {
    /// A life cycle with the service manager `systemd`; sends nothing yet.
    #[must_use]
    pub fn new(clock: Clock, systemd: Systemd) -> Self {
        let pulses = Arc::new(Pulses::new(clock, systemd.watchdog()));
        Self(Arc::new(Inner {
            stop: CancellationToken::new(),
            failed: AtomicBool::new(false),
            tasks: TaskTracker::new(),
            systemd,
            pulses,
            status: Mutex::default(),
        }))
    }

    /// The graceful stop: cancelled when tasks must end. Cancelling it stops the process.
    #[must_use]
    pub fn stop(&self) -> CancellationToken {
        self.0.stop.clone()
    }

    /// Spawns a task that must run as long as the process.
    ///
    /// It may end only after the stop began. If it ends before, fails or panics, the process
    /// stops gracefully and ends with [`End::Failed`].
    pub fn spawn_critical<E>(
        &self,
        name: &'static str,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) where
        E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
    {
        let inner = Arc::clone(&self.0);
        self.0.tasks.spawn(async move {
            match AssertUnwindSafe(task).catch_unwind().await {
                Ok(Ok(())) if inner.stop.is_cancelled() => return,
                Ok(Ok(())) => error!(task = name, "a task ended unexpectedly"),
                Ok(Err(error)) => {
                    let error = human::chain(&*error.into());
                    error!(task = name, error, "a task failed");
                }
                // The panic hook has logged why.
                Err(_) => error!(task = name, "a task panicked"),
            }
            inner.failed.store(true, Ordering::Relaxed);
            inner.stop.cancel();
        });
    }

    /// Registers a sign of life for a task; the watchdog is fed only while all of them beat.
    #[must_use]
    pub fn pulse(&self, name: &'static str) -> Pulse {
        self.0.pulses.add(name)
    }

    /// Shows one line in `systemctl status`. Sent only when it differs from the last one.
    pub fn status(&self, text: &str) {
        let text = escape::line(text);
        let mut status = self.0.status.lock().unwrap_or_else(PoisonError::into_inner);
        if *status != text {
            self.0.systemd.send(&format!("STATUS={text}"));
            *status = text.into_owned();
        }
    }

    /// Reports ready, then runs until stopped.
    ///
    /// SIGHUP calls `reload`, which logs its own errors; here they only become the status
    /// line. A stop drops a running reload. SIGTERM and SIGINT stop gracefully: tasks have
    /// `grace` to end. After a second signal, or the end of `grace`, this returns, and the
    /// caller must [`End::exit`] at once.
    pub async fn run<F, E>(
        &self,
        mut signals: Signals,
        grace: Duration,
        mut reload: impl FnMut() -> F,
    ) -> End
    where
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        let watchdog = tokio::spawn(feed_watchdog(Arc::clone(&self.0)));
        if !self.0.stop.is_cancelled() {
            self.0.systemd.send("READY=1");
        }
        let mut again = false;
        while again || self.next_signal(&mut signals).await == Signal::Reload {
            self.0.systemd.reloading();
            again = false;
            if self
                .reload(&mut signals, reload(), &mut again)
                .await
                .is_break()
            {
                break;
            }
        }
        self.0.stop.cancel();
        self.0.systemd.send("STOPPING=1");
        let end = self.stop_tasks(signals, grace).await;
        watchdog.abort();
        end
    }

    /// The next signal; a stop from inside the process counts as one.
    async fn next_signal(&self, signals: &mut Signals) -> Signal {
        tokio::select! {
            biased;
            () = self.0.stop.cancelled() => Signal::Stop,
            signal = signals.next() => signal,
        }
    }

    /// Completes one reload, unless a stop comes first. A SIGHUP meanwhile requests another
    /// one, because this one may have read the old file.
    async fn reload<E: Display>(
        &self,
        signals: &mut Signals,
        reload: impl Future<Output = Result<(), E>>,
        again: &mut bool,
    ) -> ControlFlow<()> {
        tokio::pin!(reload);
        let done = loop {
            tokio::select! {
                biased;
                signal = self.next_signal(signals) => match signal {
                    Signal::Stop => return ControlFlow::Break(()),
                    Signal::Reload => *again = true,
                },
                done = &mut reload => break done,
            }
        };
        if let Err(error) = done {
            self.status(&format!("reload failed, nothing was changed: {error}"));
        }
        self.0.systemd.send("READY=1");
        ControlFlow::Continue(())
    }

    async fn stop_tasks(&self, mut signals: Signals, grace: Duration) -> End {
        info!("stopping");
        self.0.tasks.close();
        let end = tokio::select! {
            biased;
            () = self.0.tasks.wait() => End::Stopped,
            () = async { while signals.next().await != Signal::Stop {} } => {
                warn!("interrupted: stopping at once");
                End::Interrupted
            }
            () = tokio::time::sleep(grace) => {
                let tasks = self.0.tasks.len();
                error!(tasks, "tasks did not stop in time: stopping at once");
                End::TimedOut
            }
        };
        if self.0.failed.load(Ordering::Relaxed) {
            return End::Failed;
        }
        end
    }
}

/// Pings the manager twice in each period while every task beats. While stopping it always
/// does, as that time is limited anyway.
async fn feed_watchdog(inner: Arc<Inner>) {
    let Some(period) = inner.systemd.watchdog() else {
        return;
    };
    let mut ticks = tokio::time::interval(period / 2);
    loop {
        ticks.tick().await;
        if inner.pulses.all_fresh() || inner.stop.is_cancelled() {
            inner.systemd.send("WATCHDOG=1");
        }
    }
}

#[cfg(test)]
mod tests;
