//! What goes into a bundle.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};

use crate::config::{Config, DEFAULT_PATH, Environment};
use crate::model::time;
use crate::store::Store;

/// Lines of the journal.
const LINES: &str = "--lines=1000";
/// What is shown of the unit.
const PROPERTIES: &str = "LoadState,UnitFileState,ActiveState,SubState,Result,ExecMainCode,ExecMainStatus,NRestarts,\
    ActiveEnterTimestamp,InactiveEnterTimestamp,MemoryCurrent,MemoryPeak,TasksCurrent,FragmentPath,DropInPaths,StatusText";

pub(super) fn version(now: DateTime<Utc>) -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    format!(
        "room-archiver {}\ncollected {}\nsystem {}\nkernel {} {}\n",
        crate::version::VERSION,
        time::to_text(now),
        name.unwrap_or("unknown"),
        kernel.trim(),
        std::env::consts::ARCH,
    )
}

pub(super) async fn status(store: &Store, config: &Config) -> Result<String> {
    crate::cli::status::json(store, config).await
}

/// The schema, and how many rows there are.
pub(super) async fn database(store: &Store, config: &Config) -> Result<String> {
    let mut text = String::new();
    for name in ["", "-wal"] {
        let mut path = config.database.path.clone().into_os_string();
        path.push(name);
        if let Ok(file) = std::fs::metadata(path) {
            // Writing to a String can't fail.
            let _ = writeln!(text, "database{name}: {} bytes", file.len());
        }
    }
    for (table, rows) in store.table_sizes().await? {
        let _ = writeln!(text, "{table}: {rows} rows");
    }
    text.push('\n');
    text += &store.schema().await?;
    Ok(text)
}

/// The name of the systemd unit that uses this configuration: that of the package's units.
pub(super) fn unit(file: Option<&Path>, env: &Environment) -> String {
    let default = Path::new(DEFAULT_PATH);
    let file = file
        .or_else(|| env.get("ROOM_ARCHIVER_CONFIG").map(Path::new))
        .unwrap_or(default);
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    if file == default || file.parent() != default.parent() {
        return "room-archiver.service".to_owned();
    }
    format!("room-archiver@{name}.service")
}

pub(super) fn log(unit: &str) -> Result<String> {
    let unit = format!("--unit={unit}");
    output(
        "journalctl",
        &[
            &unit,
            LINES,
            "--no-pager",
            "--no-hostname",
            "--output=short-iso",
        ],
    )
}

pub(super) fn state(unit: &str) -> Result<String> {
    let properties = format!("--property={PROPERTIES}");
    output("systemctl", &["show", "--no-pager", &properties, unit])
}

/// What a program prints.
fn output(program: &str, args: &[&str]) -> Result<String> {
    let done = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("could not run {program}"))?;
    let said = String::from_utf8_lossy(&done.stderr);
    if !done.status.success() {
        bail!("{program}: {}: {}", done.status, said.trim());
    }
    Ok(format!("{}{said}", String::from_utf8_lossy(&done.stdout)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_follows_from_the_file() {
        let env =
            Environment::from_iter([("ROOM_ARCHIVER_CONFIG", "/etc/room-archiver/acme.toml")]);
        let none = Environment::from_iter([("", "")]);
        assert_eq!(unit(None, &none), "room-archiver.service");
        assert_eq!(unit(None, &env), "room-archiver@acme.service");
        let plain = Path::new(DEFAULT_PATH);
        assert_eq!(unit(Some(plain), &env), "room-archiver.service");
        let elsewhere = Path::new("/tmp/x.toml");
        assert_eq!(unit(Some(elsewhere), &env), "room-archiver.service");
    }
}
