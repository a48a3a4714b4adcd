//! What a reload can't apply.

use anyhow::Result;

use crate::app::origin;
use crate::config::Config;

/// The keys that name another archive, or one of another space: nothing of it may be mixed with this one's. Empty: none.
pub(super) fn another_archive(current: &Config, new: &Config) -> Result<String> {
    let project = current.signalwire.project_id != new.signalwire.project_id;
    Ok(changed(&[
        (
            "archive.directory",
            current.archive.directory != new.archive.directory,
        ),
        ("database.path", current.database != new.database),
        ("signalwire.project_id", project),
        ("signalwire.space", origin(current)? != origin(new)?),
    ]))
}

/// The keys that changed and are only read at the start. Empty: none.
pub(super) fn needs_restart(current: &Config, new: &Config) -> String {
    let listen = current.telemetry.listen != new.telemetry.listen;
    changed(&[
        ("telemetry.listen", listen),
        ("log.format", current.log.format != new.log.format),
    ])
}

fn changed(keys: &[(&'static str, bool)]) -> String {
    let keys = keys
        .iter()
        .filter_map(|&(key, changed)| changed.then_some(key));
    keys.collect::<Vec<_>>().join(", ")
}
