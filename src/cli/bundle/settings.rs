//! The settings in effect, without those that could name somebody. A key that is not listed here is hidden.

use anyhow::{Context as _, Result};

use crate::config::Config;

const SHOWN: [&str; 28] = [
    "signalwire.media_ttl",
    "signalwire.page_size",
    "signalwire.connect_timeout",
    "signalwire.request_timeout",
    "poll.schedule",
    "poll.sweep_schedule",
    "poll.spread",
    "poll.settle",
    "poll.stuck_after",
    "poll.concurrency",
    "filter.since",
    "filter.min_duration",
    "download.concurrency",
    "download.order",
    "download.bandwidth_limit",
    "download.stall_timeout",
    "download.retry_initial",
    "download.retry_max",
    "download.allow_private_hosts",
    "archive.directory",
    "archive.path_template",
    "archive.min_free_space",
    "archive.file_mode",
    "database.path",
    "verify.schedule",
    "verify.bytes_per_run",
    "log.level",
    "log.format",
];

pub(super) fn shown(config: &Config) -> Result<String> {
    let settings = toml::to_string(config).context("could not write the configuration as TOML")?;
    let mut section = "";
    let lines = settings.lines().map(|line| {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            section = name;
        }
        match line.split_once(" = ") {
            // Whether it is set is worth knowing, and names nobody.
            Some((_, "\"\"" | "[]")) | None => format!("{line}\n"),
            Some((key, _)) if SHOWN.contains(&format!("{section}.{key}").as_str()) => {
                format!("{line}\n")
            }
            Some((key, _)) => format!("{key} = \"(hidden)\"\n"),
        }
    });
    Ok(lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_that_is_shown_exists_and_all_others_are_hidden() {
        let mut config = Config::default();
        config.signalwire.space = Some("acme".to_owned());
        config.signalwire.project_id = "7d5b7f9c".to_owned();
        config.signalwire.ca_file = Some("/etc/acme.pem".into());
        let text = shown(&config).unwrap();
        for key in SHOWN {
            let key = key.split_once('.').unwrap().1;
            assert!(text.contains(&format!("\n{key} = ")), "{key}");
        }
        assert!(
            !text.contains("acme") && !text.contains("7d5b7f9c"),
            "{text}"
        );
        assert!(
            text.contains("space = \"(hidden)\"\nbase_url = \"\"\n"),
            "{text}"
        );
    }
}
