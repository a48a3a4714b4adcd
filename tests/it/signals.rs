//! Real signals reach the life of the process. In a child of its own: signals meet all of a process.

use std::convert::Infallible;
use std::process::Stdio;
use std::time::Duration;

use room_archiver::clock::Clock;
use room_archiver::lifecycle::{End, GRACE, Lifecycle, Signals, Systemd};
use rustix::process::{Signal, getpid, kill_process};
use tokio::sync::mpsc;

use crate::alone;

fn raise(signal: Signal) {
    kill_process(getpid(), signal).expect("one may signal oneself");
}

#[test]
fn sighup_reloads_sigterm_stops_and_sigint_interrupts() {
    let child = alone("signals::child_that_signals_itself", Stdio::piped());
    assert!(child.status.success(), "{child:?}");
}

#[tokio::test]
#[ignore = "what the child of the test above does"]
async fn child_that_signals_itself() {
    let lifecycle = Lifecycle::new(Clock::system(), Systemd::default());
    let stuck = std::future::pending::<Result<(), Infallible>>();
    lifecycle.spawn_critical("stuck", stuck);
    let signals = Signals::install().expect("handlers");
    let (reloads, mut reloaded) = mpsc::channel(1);
    let running = tokio::spawn({
        let lifecycle = lifecycle.clone();
        async move {
            let reload = || async { reloads.send(()).await };
            lifecycle.run(signals, GRACE, reload).await
        }
    });
    let limit = Duration::from_secs(10);
    raise(Signal::HUP);
    let reload = tokio::time::timeout(limit, reloaded.recv()).await;
    assert_eq!(reload, Ok(Some(())));
    raise(Signal::TERM);
    tokio::time::timeout(limit, lifecycle.stop().cancelled())
        .await
        .expect("a soft stop");
    raise(Signal::INT);
    let end = tokio::time::timeout(limit, running).await;
    assert_eq!(end.expect("in time").expect("no panic"), End::Interrupted);
}
