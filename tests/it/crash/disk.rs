//! An ext4 file system in a file, mounted for a test and gone with it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted file system.
pub struct Disk {
    image: PathBuf,
    pub mount: PathBuf,
}

impl Disk {
    /// Makes one below `directory`. What is not synced is not written for ten minutes.
    pub fn new(directory: &Path, name: &str) -> Self {
        let disk = Self {
            image: directory.join(format!("{name}.img")),
            mount: directory.join(name),
        };
        std::fs::create_dir(&disk.mount).expect("a directory");
        let image = std::fs::File::create(&disk.image).expect("a file");
        image.set_len(64 << 20).expect("a sparse file");
        must(
            Command::new("mkfs.ext4")
                .args(["-q", "-F"])
                .arg(&disk.image),
        );
        disk.mount();
        disk
    }

    fn mount(&self) {
        let mut command = Command::new("mount");
        command.args(["-o", "loop,commit=600"]);
        must(command.arg(&self.image).arg(&self.mount));
    }

    /// Mounts it again after it lost power.
    pub fn replug(&self) {
        must(Command::new("umount").arg(&self.mount));
        self.mount();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("-l").arg(&self.mount).status();
    }
}

fn must(command: &mut Command) {
    let output = command.output().expect("a program");
    assert!(output.status.success(), "{command:?}: {output:?}");
}
