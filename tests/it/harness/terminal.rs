//! A program on a terminal of its own, as somebody who types sees it.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Longer than anything on a terminal takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// A program that runs on a terminal, which `script` of util-linux makes.
pub struct Terminal {
    script: Child,
    shown: Receiver<Vec<u8>>,
    /// What it has shown and nobody has waited for yet.
    pub unread: String,
}

impl Terminal {
    /// Starts a line of `sh` on a terminal without colours.
    pub fn start(line: &str, env: &[(&str, &str)]) -> Self {
        let mut script = Command::new("script")
            .args(["-qec", line, "/dev/null"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TERM", "dumb")
            .env("SHELL", "/bin/sh")
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script, of util-linux");
        let mut stdout = script.stdout.take().expect("a pipe");
        let (sender, shown) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = stdout.read(&mut bytes) {
                if sender.send(bytes[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            script,
            shown,
            unread: String::new(),
        }
    }

    pub fn types(&mut self, keys: &str) {
        let stdin = self.script.stdin.as_mut().expect("a pipe");
        stdin.write_all(keys.as_bytes()).expect("it reads");
    }

    /// Waits until it shows `text`, and returns what it showed before that.
    #[track_caller]
    pub fn shows(&mut self, text: &str) -> String {
        loop {
            if let Some((before, after)) = self.unread.split_once(text) {
                let (before, after) = (before.to_owned(), after.to_owned());
                self.unread = after;
                return before;
            }
            match self.shown.recv_timeout(PATIENCE) {
                Ok(bytes) => self.unread += &String::from_utf8_lossy(&bytes),
                Err(error) => panic!("no '{text}' ({error}) in {:?}", self.unread),
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        _ = self.script.kill();
        _ = self.script.wait();
    }
}
