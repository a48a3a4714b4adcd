//! Disks of their own for tests, and faults of the disk injected for real: small file systems that are
//! unmounted whatever happens, and system calls that fail when told to.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{Capability, Setting, skip};
use crate::text;

/// A file system mounted for a test; taken away when dropped. Declare it after the [`Setting`] in whose
/// directory it lies: it has to go first.
pub struct Mount {
    at: PathBuf,
}

impl Mount {
    /// A tmpfs with such options as `size=8m`. `None`, and the test skipped, where mounting is not allowed.
    pub fn tmpfs(at: &Path, options: &str) -> Option<Self> {
        let args = ["-t", "tmpfs", "-o", options, "none"];
        Self::with(at, args.map(OsStr::new).as_slice(), Capability::Mounts)
    }

    /// An ext4 of so many MiB in a file beside it, with a block device of its own.
    pub fn ext4(at: &Path, mib: u32) -> Option<Self> {
        let image = at.with_extension("ext4");
        let mut mkfs = Command::new("mkfs.ext4");
        mkfs.args(["-q", "-F", "-m", "0"]).arg(&image);
        let made = mkfs.arg(format!("{mib}M")).output();
        if !made.as_ref().is_ok_and(|made| made.status.success()) {
            let why = format!("mkfs.ext4 (Debian: e2fsprogs) can't be used: {made:?}");
            skip(Capability::LoopDevices, &why);
            return None;
        }
        let args = [OsStr::new("-o"), OsStr::new("loop"), image.as_os_str()];
        Self::with(at, &args, Capability::LoopDevices)
    }

    /// Another directory, made if it is not there.
    pub fn bind(directory: &Path, at: &Path) -> Option<Self> {
        std::fs::create_dir_all(directory).expect("a directory");
        let args = [OsStr::new("--bind"), directory.as_os_str()];
        Self::with(at, &args, Capability::Mounts)
    }

    fn with(at: &Path, args: &[&OsStr], capability: Capability) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a directory");
        let mounted = run("mount", args.iter().copied().chain([at.as_os_str()]));
        if !mounted.status.success() {
            skip(capability, text(&mounted.stderr));
            return None;
        }
        Some(Self { at: at.to_owned() })
    }

    /// Mounts it again with other options, such as `ro`.
    pub fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let done = run(
            "mount",
            [OsStr::new("-o"), OsStr::new(&options), self.at.as_os_str()],
        );
        assert!(done.status.success(), "{done:?}");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        for options in [&[][..], &["-l"]] {
            let args = options.iter().map(OsStr::new).chain([self.at.as_os_str()]);
            if run("umount", args).status.success() {
                return;
            }
        }
        eprintln!("could not unmount '{}'", self.at.display());
    }
}

/// A command that runs another one under strace, which lets system calls fail: `inject` in strace's words,
/// such as `write:error=EIO:when=1`, for those that touch one of `paths`, or for all; a call's name alone is
/// only traced. The tracer is in the background, so that the child is the program itself. What was traced is
/// in the file `log`.
pub fn failing(inject: &[&str], paths: &[&Path], log: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args([
        "-D",
        "-f",
        "-qq",
        "-y",
        "-s",
        "0",
        "-esignal=none",
        "--seccomp-bpf",
        "-o",
    ]);
    strace.arg(log);
    let calls: Vec<&str> = inject
        .iter()
        .filter_map(|inject| inject.split(':').next())
        .collect();
    strace.arg(format!("-etrace={}", calls.join(",")));
    for inject in inject.iter().filter(|inject| inject.contains(':')) {
        strace.arg(format!("-einject={inject}"));
    }
    for path in paths {
        strace.arg("-P").arg(path);
    }
    strace
}

/// Puts the program with a setting's configuration behind a command such as strace.
pub fn program(mut command: Command, setting: &Setting, args: &[&str]) -> Command {
    command
        .arg(assert_cmd::cargo::cargo_bin!("room-archiver"))
        .arg("--config")
        .arg(setting.config_file())
        .args(args)
        .env_clear()
        .env("ROOM_ARCHIVER_API_TOKEN", setting.space.token());
    command
}

/// Runs it once under strace, and tells what came of it and what was traced.
pub fn once_failing(setting: &Setting, inject: &[&str], paths: &[&Path]) -> (Output, String) {
    let log = setting.directory.path().join("strace.log");
    let command = failing(inject, paths, &log);
    let output = program(command, setting, &["once"]).output();
    let log = std::fs::read_to_string(&log).unwrap_or_default();
    (output.expect("strace is installed"), log)
}

fn run<'a>(program: &str, args: impl IntoIterator<Item = &'a OsStr>) -> Output {
    let output = Command::new(program).args(args).output();
    output.unwrap_or_else(|error| panic!("{program}: {error}"))
}
