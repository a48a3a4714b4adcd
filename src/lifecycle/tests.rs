use std::convert::Infallible;
use std::io;
use std::os::unix::net::UnixDatagram;

use chrono::DateTime;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;

use super::*;

/// A life under a fake manager, with its signals in a test's hand.
struct Stage {
    lifecycle: Lifecycle,
    clock: Clock,
    manager: UnixDatagram,
    _directory: tempfile::TempDir,
}

impl Stage {
    fn new(watchdog: Option<Duration>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let manager = UnixDatagram::bind(&path).expect("a socket");
        manager.set_nonblocking(true).expect("a setting");
        let systemd = Systemd::at(path.as_os_str(), watchdog).expect("a socket");
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        Self {
            lifecycle: Lifecycle::new(clock.clone(), systemd),
            clock,
            manager,
            _directory: directory,
        }
    }

    fn run(&self) -> (Sender<Signal>, JoinHandle<End>) {
        self.run_with(|| async { Ok::<_, Infallible>(()) })
    }

    fn run_with<F, E>(
        &self,
        reload: impl FnMut() -> F + Send + 'static,
    ) -> (Sender<Signal>, JoinHandle<End>)
    where
        F: Future<Output = Result<(), E>> + Send,
        E: Display + Send,
    {
        let (sender, signals) = Signals::fake();
        let lifecycle = self.lifecycle.clone();
        let running = tokio::spawn(async move { lifecycle.run(signals, GRACE, reload).await });
        (sender, running)
    }

    /// What the manager received since the last call.
    fn messages(&self) -> Vec<String> {
        let mut buffer = [0; 1024];
        std::iter::from_fn(|| {
            self.manager
                .recv(&mut buffer)
                .ok()
                .map(|n| buffer[..n].to_vec())
        })
        .map(|text| String::from_utf8(text).expect("text"))
        .collect()
    }
}

/// Lets every task that can go on do so.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// A task that stops when asked.
async fn obedient(stop: CancellationToken) -> io::Result<()> {
    stop.cancelled().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_signal_stops_softly_and_the_manager_is_told() {
    let stage = Stage::new(None);
    let stop = stage.lifecycle.stop();
    stage.lifecycle.spawn_critical("worker", obedient(stop));
    let (signals, running) = stage.run();
    settle().await;
    assert_eq!(stage.messages(), ["READY=1"]);
    signals.send(Signal::Stop).await.expect("a listener");
    let end = running.await.expect("an end");
    assert_eq!((end, end.code()), (End::Stopped, 0));
    assert_eq!(stage.messages(), ["STOPPING=1"]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_fails_or_panics_takes_the_process_with_it() {
    for case in 0..3 {
        let stage = Stage::new(None);
        let lifecycle = &stage.lifecycle;
        lifecycle.spawn_critical("other", obedient(lifecycle.stop()));
        let (_signals, running) = stage.run();
        settle().await;
        match case {
            0 => lifecycle.spawn_critical("ends", async { io::Result::Ok(()) }),
            1 => lifecycle.spawn_critical("fails", async { Err(io::Error::other("no disk")) }),
            _ => lifecycle.spawn_critical::<io::Error>("panics", async { panic!("on purpose") }),
        }
        let end = running.await.expect("an end");
        assert_eq!((end, end.code()), (End::Failed, 1), "case {case}");
        assert_eq!(stage.messages(), ["READY=1", "STOPPING=1"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_failed_at_start_is_never_reported_ready() {
    let stage = Stage::new(None);
    let failure = async { Err(io::Error::other("no database")) };
    stage.lifecycle.spawn_critical("store", failure);
    stage.lifecycle.stop().cancelled().await;
    let (_signals, running) = stage.run();
    assert_eq!(running.await.expect("an end"), End::Failed);
    assert_eq!(stage.messages(), ["STOPPING=1"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_while_stopping_is_a_failure() {
    let stage = Stage::new(None);
    let stop = stage.lifecycle.stop();
    let task = async move {
        stop.cancelled().await;
        Err(io::Error::other("could not write the last row"))
    };
    stage.lifecycle.spawn_critical("store", task);
    let (signals, running) = stage.run();
    signals.send(Signal::Stop).await.expect("a listener");
    assert_eq!(running.await.expect("an end"), End::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_does_not_stop_is_left_behind_after_the_grace() {
    let stage = Stage::new(None);
    let stuck = std::future::pending::<io::Result<()>>();
    stage.lifecycle.spawn_critical("stuck", stuck);
    let (signals, running) = stage.run();
    signals.send(Signal::Stop).await.expect("a listener");
    let before = tokio::time::Instant::now();
    let end = running.await.expect("an end");
    assert_eq!((end, end.code()), (End::TimedOut, 1));
    assert_eq!(before.elapsed().as_secs(), GRACE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_stops_at_once() {
    let stage = Stage::new(None);
    let stuck = std::future::pending::<io::Result<()>>();
    stage.lifecycle.spawn_critical("stuck", stuck);
    let (signals, running) = stage.run();
    let before = tokio::time::Instant::now();
    signals.send(Signal::Stop).await.expect("a listener");
    signals.send(Signal::Reload).await.expect("a listener");
    settle().await;
    assert!(!running.is_finished(), "a reload is no second stop");
    signals.send(Signal::Stop).await.expect("a listener");
    let end = running.await.expect("an end");
    assert_eq!((end, end.code()), (End::Interrupted, 0));
    assert!(before.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_reload_is_bracketed_and_its_failure_shown() {
    let stage = Stage::new(None);
    let mut good = true;
    let (signals, _running) = stage.run_with(move || {
        let result = if good { Ok(()) } else { Err("bad\nREADY=0") };
        good = false;
        async move { result }
    });
    for _ in 0..2 {
        signals.send(Signal::Reload).await.expect("a listener");
        settle().await;
    }
    let messages = stage.messages();
    assert_eq!(messages.len(), 6, "{messages:?}");
    let usec = messages[1].strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
    assert!(
        usec.is_some_and(|usec| usec.parse::<u64>().is_ok()),
        "{messages:?}"
    );
    assert_eq!(messages[2], "READY=1");
    assert_eq!(
        messages[4],
        "STATUS=reload failed, nothing was changed: bad\\u000AREADY=0"
    );
    assert_eq!(messages[5], "READY=1");
}

#[tokio::test(start_paused = true)]
async fn a_signal_during_a_reload_reloads_once_more() {
    let stage = Stage::new(None);
    let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
    let (signals, _running) = stage.run_with(move || {
        started.send(()).expect("a listener");
        tokio::time::sleep(Duration::from_secs(1)).map(Ok::<_, Infallible>)
    });
    for _ in 0..3 {
        signals.send(Signal::Reload).await.expect("a listener");
    }
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(std::iter::from_fn(|| starts.try_recv().ok()).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_hangs_does_not_hinder_the_stop() {
    let stage = Stage::new(None);
    let (signals, running) = stage.run_with(std::future::pending::<Result<(), Infallible>>);
    signals.send(Signal::Reload).await.expect("a listener");
    signals.send(Signal::Stop).await.expect("a listener");
    assert_eq!(running.await.expect("an end"), End::Stopped);
}

#[tokio::test(start_paused = true)]
async fn the_status_is_sent_when_it_changes() {
    let stage = Stage::new(None);
    for text in ["polling", "polling", "idle", "polling"] {
        stage.lifecycle.status(text);
    }
    assert_eq!(
        stage.messages(),
        ["STATUS=polling", "STATUS=idle", "STATUS=polling"]
    );
}

#[tokio::test(start_paused = true)]
async fn the_watchdog_is_fed_only_while_every_task_beats() {
    let period = Duration::from_mins(1);
    let stage = Stage::new(Some(period));
    let poller = stage.lifecycle.pulse("poller");
    let (_signals, _running) = stage.run();
    settle().await;
    assert_eq!(stage.messages(), ["READY=1", "WATCHDOG=1"]);

    let half = |stage: &Stage| {
        stage.clock.advance(period / 2);
        tokio::time::sleep(period / 2)
    };
    for _ in 0..4 {
        poller.beat();
        half(&stage).await;
        assert_eq!(stage.messages(), ["WATCHDOG=1"]);
    }
    half(&stage).await;
    stage.messages();
    half(&stage).await;
    assert_eq!(
        stage.messages(),
        Vec::<String>::new(),
        "the poller is silent"
    );
    drop(poller);
    half(&stage).await;
    assert_eq!(stage.messages(), ["WATCHDOG=1"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_watchdog_nothing_is_pinged() {
    let stage = Stage::new(None);
    let (_signals, _running) = stage.run();
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(stage.messages(), ["READY=1"]);
}
