//! The daemon as a child process.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Lines};
use std::process::{ChildStderr, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::Setting;

/// The daemon as a child of this process, its stderr read line by line.
pub struct Child {
    process: std::process::Child,
    lines: Lines<BufReader<ChildStderr>>,
    /// Every line read so far.
    pub told: Vec<String>,
}

impl Child {
    /// Starts `run` with more of an environment.
    pub fn start(setting: &Setting, env: &[(&str, &OsStr)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_room-archiver"));
        command
            .env_clear()
            .env("ROOM_ARCHIVER_API_TOKEN", setting.space.token())
            .envs(env.iter().copied())
            .arg("--config")
            .arg(setting.config_file())
            .arg("run");
        Self::of(command)
    }

    /// Starts a command.
    pub fn of(mut command: Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().expect("the program");
        let stderr = process.stderr.take().expect("a pipe");
        Self {
            process,
            lines: BufReader::new(stderr).lines(),
            told: Vec::new(),
        }
    }

    /// Waits for a line that holds `text`, and returns it.
    pub fn line(&mut self, text: &str) -> String {
        for line in self.lines.by_ref() {
            let line = line.expect("text");
            self.told.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
        panic!("it ended without a line with '{text}': {:#?}", self.told);
    }

    /// How many of the lines read so far hold `text`.
    pub fn count(&self, text: &str) -> usize {
        let holds = |line: &&String| line.contains(text);
        self.told.iter().filter(holds).count()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("a child");
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Stops it as systemd does, which it takes for a success.
    #[track_caller]
    pub fn stop(&mut self) {
        self.terminate();
        assert_eq!(self.wait().code(), Some(0), "{:#?}", self.told);
    }

    /// The most memory it has had in use so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(status).expect("a child");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|text| text.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse::<u64>().ok())
            .expect("a number of kB")
            << 10
    }

    pub fn kill(&mut self) {
        self.process.kill().expect("a child");
        self.process.wait().expect("a child");
    }

    /// Waits for its end, with all it says until then.
    pub fn wait(&mut self) -> ExitStatus {
        for line in self.lines.by_ref() {
            self.told.push(line.expect("text"));
        }
        self.process.wait().expect("a child")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
