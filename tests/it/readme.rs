//! The README keeps its word: its queries run, its views and keys are those of the program.

use std::fmt::Write as _;

use super::harness::{Setting, sqlite};

const README: &str = include_str!("../../README.md");

fn filled() -> Setting {
    let setting = Setting::with("");
    setting.space.archivable("lesson");
    setting.space.archivable("hearing");
    setting.once(0);
    setting
}

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    README
        .split(&format!("```{language}\n"))
        .skip(1)
        .map(|rest| rest.split("```").next().expect("an end"))
        .collect()
}

#[test]
fn every_query_of_the_readme_runs() {
    let setting = filled();
    let queries = blocks("sql");
    assert!(queries.len() >= 12);
    for query in &queries {
        sqlite(&setting.database(), query);
    }
    let rows = |start: &str| {
        let query = queries.iter().find(|query| query.starts_with(start));
        setting.sql(query.expect(start)).lines().count()
    };
    assert_eq!(rows("SELECT sha256 || "), 2);
    assert_eq!(
        rows("SELECT session_id, room_name, end_time, recordings_open FROM gaps"),
        0
    );
    assert_eq!(rows("SELECT s.room_name"), 2);
}

#[test]
fn the_backup_of_the_readme_is_a_whole_archive_database() {
    let setting = filled();
    assert!(README.contains("archive.db \"VACUUM INTO '/backup/archive.db'\""));
    let backup = setting.directory.path().join("backup.db");
    sqlite(
        &setting.database(),
        &format!("VACUUM INTO '{}'", backup.display()),
    );
    assert_eq!(sqlite(&backup, "SELECT count(*) FROM archive"), "2");
}

#[test]
fn every_view_has_exactly_the_columns_that_the_readme_tells() {
    let setting = filled();
    let views = setting.sql("SELECT name FROM sqlite_schema WHERE type = 'view' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name");
    assert_eq!(views.lines().count(), 12);
    for view in views.lines() {
        let told = README.split(&format!("- **{view}**: ")).nth(1).expect(view);
        let told = told.split("\n- **").next().expect(view);
        let told = told.split("\n\n").next().expect(view);
        let columns = setting.sql(&format!("SELECT name FROM pragma_table_info('{view}')"));
        // Two views are told as another's columns.
        if matches!(view, "failures" | "gaps") {
            continue;
        }
        let quoted: Vec<&str> = told.split('`').skip(1).step_by(2).collect();
        let named: Vec<&str> = quoted
            .into_iter()
            .filter(|word| !word.contains('.') && *word != "queue")
            .collect();
        assert_eq!(named, columns.lines().collect::<Vec<_>>(), "{view}");
    }
    let columns =
        |view: &str| setting.sql(&format!("SELECT name FROM pragma_table_info('{view}')"));
    assert_eq!(columns("failures"), format!("{}\nreason", columns("queue")));
    assert_eq!(columns("gaps"), columns("sessions"));
}

#[test]
fn every_key_of_the_configuration_is_in_the_readme_with_its_default() {
    let defaults = room_archiver::config::Config::default();
    let mut told = String::new();
    for (section, keys) in &toml::Table::try_from(&defaults).expect("TOML") {
        _ = writeln!(told, "[{section}]");
        for (key, value) in keys.as_table().expect("a section") {
            let row = README
                .lines()
                .find_map(|line| line.strip_prefix(&format!("| `{section}.{key}` | ")))
                .unwrap_or_else(|| panic!("{section}.{key} is not in the README"));
            let default = row.split('`').nth(1).filter(|_| row.starts_with('`'));
            match default {
                Some(text) if value.is_str() => _ = writeln!(told, "{key} = {text:?}"),
                Some(text) => _ = writeln!(told, "{key} = {text}"),
                None => {
                    assert!(value.as_str().is_some_and(str::is_empty), "{section}.{key}");
                    _ = writeln!(told, "{key} = \"\"");
                }
            }
        }
    }
    let told: room_archiver::config::Config = toml::from_str(&told).expect("a configuration");
    assert_eq!(told, defaults);
}

#[test]
fn every_command_of_the_readme_is_one_of_the_program() {
    let help = super::binary().arg("--help").output().expect("the program");
    let help = super::text(&help.stdout);
    let commands = README
        .lines()
        .filter_map(|line| line.strip_prefix("| `room-archiver "));
    let mut told = 0;
    for line in commands {
        let command = line.split(['`', ' ']).next().expect("a word");
        assert!(help.contains(&format!("\n  {command} ")), "{command}");
        told += 1;
    }
    assert_eq!(told, 10);
}
