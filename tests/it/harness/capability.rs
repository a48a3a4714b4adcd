//! What a test needs of the machine. Where that is missing the test is skipped, and it shows.

use std::io::Write as _;
use std::process::Command;

use crate::text;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// To become another user, and to write to what forbids it.
    Root,
    /// To mount small file systems.
    Mounts,
    /// To mount a file as an ext4 file system.
    LoopDevices,
    NetworkNamespaces,
    /// To trace programs, which lets system calls fail.
    Strace,
    /// A server of an object store, by other authors.
    S3Server,
    /// Writes past the page cache in temporary directories.
    DirectWrites,
    /// To format manual pages.
    Man,
    /// The programs `prometheus` and `promtool`.
    Prometheus,
    Datasette,
    Litestream,
    /// Version 3.
    Python,
    /// The shells that completions are for, on a terminal that `script` of util-linux makes.
    Bash,
    Zsh,
    Fish,
    /// Chromium and its driver.
    Browser,
    /// axe-core, which finds what keeps people with disabilities out of a page.
    Axe,
    Nginx,
    Caddy,
    /// The receivers of the Standard Webhooks libraries below `target/webhooks`, where `.ci/run` installs them.
    WebhookLibraries,
    /// The example `demo`.
    Demo,
}

/// Whether the machine has it; if not, the test that asks is noted as skipped.
#[must_use]
pub fn has(capability: Capability) -> bool {
    let tried = match capability {
        Capability::Root => match rustix::process::geteuid() {
            root if root.is_root() => Ok(()),
            user => Err(format!("run by the user {}", user.as_raw())),
        },
        Capability::Strace => run("strace", &["-qq", "-o", "/dev/null", "true"]),
        Capability::Man => run("man", &["--version"]),
        Capability::Prometheus => {
            run("prometheus", &["--version"]).and_then(|()| run("promtool", &["--version"]))
        }
        Capability::Datasette => run("datasette", &["--version"]),
        Capability::Litestream => run("litestream", &["version"]),
        Capability::Python => run("python3", &["--version"]),
        Capability::Bash => {
            run("bash", &["--version"]).and_then(|()| run("script", &["--version"]))
        }
        Capability::Zsh => run("zsh", &["--version"]).and_then(|()| run("script", &["--version"])),
        Capability::Fish => run("fish", &["--version"]),
        tried => panic!("{tried:?}: only a try shows it; skip() says that it failed"),
    };
    match tried {
        Ok(()) => true,
        Err(why) => {
            skip(capability, &why);
            false
        }
    }
}

fn run(program: &str, args: &[&str]) -> Result<(), String> {
    match Command::new(program).args(args).output() {
        Ok(ended) if ended.status.success() => Ok(()),
        Ok(ended) => Err(format!("{program}: {}", text(&ended.stderr))),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

/// Notes that this test is skipped: on stderr, where `cargo test` shows it although the test passes, and in the file that
/// `ROOM_ARCHIVER_TEST_SKIPS` names, which `.ci/run` reads.
pub fn skip(capability: Capability, why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let why = why.trim().replace('\n', "; ");
    let line = format!("SKIPPED {test}: it needs {capability:?}: {why}\n");
    // Not eprint!, which the test harness captures.
    _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("ROOM_ARCHIVER_TEST_SKIPS") {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        written.expect("the file named by ROOM_ARCHIVER_TEST_SKIPS");
    }
}
