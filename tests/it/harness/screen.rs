//! A real terminal: a program runs on it, and what it shows can be read like a person would.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// More lines than any command of a test prints.
const ROWS: u16 = 120;

/// A terminal with a program on it.
pub struct Screen {
    master: File,
    child: Child,
    parser: vt100::Parser,
    /// Everything that was written to it.
    raw: Vec<u8>,
}

/// What a program left on its terminal.
pub struct Shown {
    pub status: ExitStatus,
    pub screen: vt100::Screen,
    pub raw: String,
}

impl Screen {
    /// Starts a program on a terminal with so many columns, which is its controlling terminal.
    pub fn start(program: &[&str], env: &[(&str, &str)], columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("its permissions");
        unlockpt(&master).expect("its lock");
        let name = ptsname(&master, Vec::new()).expect("its name");
        let size = Winsize {
            ws_row: ROWS,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&master, size).expect("its size");
        let open = || -> Stdio {
            let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
            let mode = rustix::fs::Mode::empty();
            let slave: OwnedFd = rustix::fs::open(&*name, flags, mode).expect("the other side");
            slave.into()
        };
        let child = Command::new("setsid")
            .args(["--ctty", "--wait"])
            .args(program)
            .env_clear()
            .env("TERM", "xterm")
            .envs(env.iter().copied())
            .stdin(open())
            .stdout(open())
            .stderr(open())
            .spawn()
            .expect("setsid is part of util-linux");
        Self {
            master: master.into(),
            child,
            parser: vt100::Parser::new(ROWS, columns, 0),
            raw: Vec::new(),
        }
    }

    /// Reads until the screen shows what is wanted.
    pub fn until(&mut self, what: &str, shows: impl Fn(&vt100::Screen) -> bool) {
        while !shows(self.parser.screen()) {
            let more = self.read();
            assert!(
                more,
                "it ended without {what}: {}",
                self.parser.screen().contents()
            );
        }
    }

    /// Types characters; `\x03` is Ctrl-C.
    pub fn types(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("keys");
    }

    /// Types Ctrl-C again and again until the program has ended.
    pub fn interrupt(mut self) -> Shown {
        while self.child.try_wait().expect("a child").is_none() {
            // It may have ended just now.
            _ = self.master.write_all(b"\x03");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        self.end()
    }

    /// What it shows after the program has ended.
    pub fn end(mut self) -> Shown {
        while self.read() {}
        Shown {
            status: self.child.wait().expect("its end"),
            screen: self.parser.screen().clone(),
            raw: String::from_utf8_lossy(&self.raw).into_owned(),
        }
    }

    fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        // When the last program on it has ended, Linux answers EIO.
        let read = self.master.read(&mut buffer).unwrap_or(0);
        self.parser.process(&buffer[..read]);
        self.raw.extend_from_slice(&buffer[..read]);
        read > 0
    }
}

impl Shown {
    /// The lines, without the empty ones at the end. Fails if one of them wrapped.
    pub fn lines(&self) -> Vec<String> {
        let (rows, columns) = self.screen.size();
        let lines = self.screen.rows(0, columns);
        let wrapped = (0..rows).find(|row| self.screen.row_wrapped(*row));
        assert_eq!(wrapped, None, "a line wrapped: {}", self.screen.contents());
        let mut lines: Vec<_> = lines.map(|line| line.trim_end().to_owned()).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }
}
