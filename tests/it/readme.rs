//! README and docs keep their word: their queries run, their views, keys and commands are those of the program.

use std::fmt::Write as _;

use super::harness::{Setting, sqlite};

const README: &str = include_str!("../../README.md");
const CONFIGURATION: &str = include_str!("../../docs/configuration.md");
const OPERATING: &str = include_str!("../../docs/operating.md");
const QUERIES: &str = include_str!("../../docs/queries.md");
const RECOVERY: &str = include_str!("../../docs/recovery.md");

fn filled() -> Setting {
    let setting = Setting::with("");
    setting.space.archivable("lesson");
    setting.space.archivable("hearing");
    setting.once(0);
    setting
}

/// The queries of a page: its fenced blocks of SQL.
fn queries(page: &'static str) -> Vec<&'static str> {
    page.split("```sql\n")
        .skip(1)
        .map(|rest| rest.split("```").next().expect("an end"))
        .collect()
}

#[test]
fn every_query_of_the_documentation_runs() {
    let setting = filled();
    let queries = [queries(README), queries(QUERIES)].concat();
    assert!(queries.len() >= 16);
    for query in &queries {
        sqlite(&setting.database(), query);
    }
    let rows = |start: &str| {
        let query = queries.iter().find(|query| query.starts_with(start));
        setting.sql(query.expect(start)).lines().count()
    };
    assert_eq!(rows("SELECT sha256 || "), 2);
    assert_eq!(
        rows("SELECT session_id, room_name, end_time, recordings_open"),
        0
    );
    assert_eq!(rows("SELECT room_name, count(*)"), 2);
}

#[test]
fn the_backup_of_the_documentation_is_a_whole_archive_database() {
    let setting = filled();
    assert!(RECOVERY.contains("archive.db \"VACUUM INTO '/backup/archive.db'\""));
    let backup = setting.directory.path().join("backup.db");
    sqlite(
        &setting.database(),
        &format!("VACUUM INTO '{}'", backup.display()),
    );
    assert_eq!(sqlite(&backup, "SELECT count(*) FROM archive"), "2");
}

#[test]
fn the_marker_file_can_be_made_again_as_the_documentation_says() {
    let setting = filled();
    let query = "SELECT value FROM meta WHERE name = 'archive_id'";
    assert!(RECOVERY.contains(query));
    let marker = std::fs::read_to_string(setting.recordings().join(".room-archiver"));
    assert_eq!(setting.sql(query), marker.expect("a marker").trim());
}

#[test]
fn every_view_has_exactly_the_columns_that_the_documentation_has() {
    let setting = filled();
    let views = setting.sql("SELECT name FROM sqlite_schema WHERE type = 'view' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name");
    assert_eq!(views.lines().count(), 16);
    let columns =
        |view: &str| setting.sql(&format!("SELECT name FROM pragma_table_info('{view}')"));
    for view in views.lines() {
        let section = QUERIES.split(&format!("\n### {view}\n")).nth(1);
        let section = section.expect(view).split("\n##").next().expect(view);
        // Two views have another's columns, and no table.
        if matches!(view, "failures" | "gaps") {
            continue;
        }
        let named: Vec<&str> = section
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        assert_eq!(named, columns(view).lines().collect::<Vec<_>>(), "{view}");
    }
    assert_eq!(columns("failures"), format!("{}\nreason", columns("queue")));
    assert_eq!(columns("gaps"), columns("sessions"));
}

#[test]
fn every_key_of_the_configuration_is_in_the_documentation_with_its_default() {
    let defaults = room_archiver::config::Config::default();
    documented_copies();
    let mut documented = String::new();
    for (section, keys) in &toml::Table::try_from(&defaults).expect("TOML") {
        _ = writeln!(documented, "[{section}]");
        for (key, value) in keys.as_table().expect("a section") {
            let row = CONFIGURATION
                .lines()
                .find_map(|line| line.strip_prefix(&format!("| `{section}.{key}` | ")))
                .unwrap_or_else(|| panic!("{section}.{key} is not in docs/configuration.md"));
            let default = row.split('`').nth(1).filter(|_| row.starts_with('`'));
            match default {
                Some(text) if value.is_str() => _ = writeln!(documented, "{key} = {text:?}"),
                Some(text) => _ = writeln!(documented, "{key} = {text}"),
                None => {
                    assert!(value.as_str().is_some_and(str::is_empty), "{section}.{key}");
                    _ = writeln!(documented, "{key} = \"\"");
                }
            }
        }
    }
    let documented: room_archiver::config::Config =
        toml::from_str(&documented).expect("a configuration");
    assert_eq!(documented, defaults);
}

/// The same for the keys of `[copies.NAME]`.
fn documented_copies() {
    let defaults = room_archiver::config::CopyTarget::default();
    for (key, value) in toml::Table::try_from(&defaults).expect("TOML") {
        let row = CONFIGURATION
            .lines()
            .find_map(|line| line.strip_prefix(&format!("| `copies.NAME.{key}` | ")))
            .unwrap_or_else(|| panic!("copies.NAME.{key} is not in docs/configuration.md"));
        let default = row.split('`').nth(1).filter(|_| row.starts_with('`'));
        let value = value.to_string();
        assert_eq!(
            default.unwrap_or_default(),
            value.trim_matches('"'),
            "{key}"
        );
    }
}

#[test]
fn every_key_of_a_webhook_is_in_the_documentation_with_its_default() {
    let defaults = room_archiver::config::Webhook::default();
    for (key, value) in &toml::Table::try_from(&defaults).expect("TOML") {
        let default = match value.as_str() {
            Some("") => String::new(),
            Some(text) => format!("`{text}` "),
            None => format!("`{value}` "),
        };
        let row = format!("| `webhooks.NAME.{key}` | {default}| ");
        assert!(CONFIGURATION.contains(&row), "{row}");
    }
}

#[test]
fn every_command_of_the_documentation_is_one_of_the_program() {
    let help = super::binary().arg("--help").output().expect("the program");
    let help = super::text(&help.stdout);
    let commands = OPERATING
        .lines()
        .filter_map(|line| line.strip_prefix("| `room-archiver "));
    let mut count = 0;
    for line in commands {
        let command = line.split(['`', ' ']).next().expect("a word");
        assert!(help.contains(&format!("\n  {command} ")), "{command}");
        count += 1;
    }
    assert_eq!(count, 15);
}
