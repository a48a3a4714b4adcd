//! The demo: what it shows is checked by itself; here, that its page stays open on request.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::harness::{Capability, skip};

/// Stopped in order however the test ends, so that its page ends with it.
struct Demo(Child);

impl Demo {
    fn stop(&self) {
        _ = kill_process(Pid::from_child(&self.0), Signal::INT);
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.stop();
        _ = self.0.wait();
    }
}

/// The example, which cargo builds with all tests; the test is skipped if only some were built.
fn program() -> Option<PathBuf> {
    let program = assert_cmd::cargo::cargo_bin!("room-archiver").with_file_name("examples/demo");
    if program.exists() {
        return Some(program);
    }
    skip(
        Capability::Demo,
        &format!("there is no {}", program.display()),
    );
    None
}

fn page(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    let host = format!("Host: {address}\r\nConnection: close\r\n\r\n");
    write!(stream, "GET /recordings HTTP/1.1\r\n{host}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn the_demo_ends_with_its_page_which_stays_open_until_ctrl_c() {
    let Some(program) = program() else {
        return;
    };
    let temporary = tempfile::tempdir().expect("a directory");
    let child = Command::new(program)
        .args(["--web", "--clean"])
        .env_clear()
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the demo");
    let mut demo = Demo(child);
    let stdout = demo.0.stdout.take().expect("a pipe");
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let line = lines.find(|line| line.starts_with("Open http://"));
    let line = line.expect("the address of the page");
    let address = line.split_whitespace().nth(1).expect("an address");
    let address = address.trim_start_matches("http://");
    let answer = page(address).expect("a page");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    for room in ["standup", "lesson", "retro"] {
        assert!(answer.contains(room), "{room}: {answer}");
    }
    demo.stop();
    let status = demo.0.wait().expect("a child");
    assert!(
        status.success(),
        "{status}: {:?}",
        lines.collect::<Vec<_>>()
    );
    assert!(page(address).is_err(), "the page is still there");
    let left = std::fs::read_dir(temporary.path()).expect("a directory");
    assert_eq!(left.count(), 0);
}
