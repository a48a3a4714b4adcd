//! One life of the service, and what it takes of memory and descriptors.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use room_archiver::clock::Clock;
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::Setting;

/// What a process holds at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Since its start.
    pub at: Duration,
    pub rss_kib: u64,
    pub descriptors: u64,
}

/// A running service.
pub struct Service {
    process: Child,
    log: PathBuf,
    clock: Clock,
    began: Duration,
    samples: Vec<Sample>,
}

impl Service {
    pub fn start(setting: &Setting, clock: &Clock) -> Self {
        let log = setting.directory.path().join("log");
        let stderr = std::fs::File::create(&log).expect("a file");
        let process = Command::new(env!("CARGO_BIN_EXE_room-archiver"))
            .env_clear()
            .env("ROOM_ARCHIVER_API_TOKEN", setting.space.token())
            .arg("--config")
            .arg(setting.config_file())
            .arg("run")
            .stderr(stderr)
            .spawn()
            .expect("the program");
        Self {
            process,
            log,
            clock: clock.clone(),
            began: clock.monotonic(),
            samples: Vec::new(),
        }
    }

    /// The end of what it has logged.
    pub fn told(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Measures it; it must be alive.
    pub fn sample(&mut self) {
        let ended = self.process.try_wait().expect("a child");
        assert_eq!(ended, None, "it ended by itself: {}", self.told());
        let process = format!("/proc/{}", self.process.id());
        let status = std::fs::read_to_string(format!("{process}/status")).expect("Linux");
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let rss = rss.and_then(|text| text.trim().strip_suffix(" kB"));
        let Some(rss_kib) = rss.and_then(|text| text.parse().ok()) else {
            return;
        };
        let descriptors = std::fs::read_dir(format!("{process}/fd")).expect("Linux");
        self.samples.push(Sample {
            at: self.clock.monotonic().saturating_sub(self.began),
            rss_kib,
            descriptors: descriptors.count() as u64,
        });
    }

    pub fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.process);
        kill_process(id, signal).expect("a child");
    }

    /// Kills it; what it had taken.
    pub fn kill(&mut self) -> Vec<Sample> {
        self.signal(Signal::KILL);
        self.process.wait().expect("a child");
        std::mem::take(&mut self.samples)
    }

    /// Stops it as systemd does, which it has to survive in order.
    pub fn terminate(&mut self) -> Vec<Sample> {
        // Before it listens for signals, SIGTERM ends it like any other program.
        let early = self.told().is_empty();
        self.signal(Signal::TERM);
        let end: ExitStatus = self.process.wait().expect("a child");
        assert!(end.success() || early, "{end}: {}", self.told());
        std::mem::take(&mut self.samples)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
