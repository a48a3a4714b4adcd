//! `status --all`: a line for each instance of the template unit, then what is wrong.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::super::table;
use super::super::table::Column::{Left, Right, Text};
use super::facts::Status;
use crate::cli::args::StatusArgs;
use crate::cli::exit::Exit;
use crate::cli::width::Width;
use crate::cli::{out, runtime};
use crate::config::{Config, DEFAULT_PATH, Environment, Loaded};
use crate::escape;
use crate::human;
use crate::model::{State, time};
use crate::store::{Access, PassKind, Store};

/// The configuration of the unit that is no instance of the template.
const PLAIN: &str = "config";

/// One instance. The JSON that scripts read: never rename a field.
#[derive(Debug, Serialize)]
struct Instance {
    name: String,
    healthy: bool,
    /// Why its state is not known.
    error: Option<String>,
    status: Option<Status>,
}

#[derive(Debug, Serialize)]
struct All {
    healthy: bool,
    instances: Vec<Instance>,
}

pub(super) fn run(
    args: &StatusArgs,
    file: Option<&Path>,
    env: &Environment,
    now: DateTime<Utc>,
) -> Result<Exit> {
    let file = file
        .or_else(|| env.get("ROOM_ARCHIVER_CONFIG").map(Path::new))
        .unwrap_or(Path::new(DEFAULT_PATH));
    let directory = file.parent().unwrap_or(Path::new("/"));
    let files = files(directory)?;
    let only = files.len() == 1;
    let mut instances = Vec::new();
    for (name, file) in files {
        let read = read(&name, &file, env, now);
        // The package's sample, beside the instances of the template.
        if name == PLAIN && read.is_err() && !only {
            continue;
        }
        let (status, error) = match read {
            Ok(status) => (Some(status), None),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        instances.push(Instance {
            name,
            healthy: status.as_ref().is_some_and(|status| status.healthy),
            error,
            status,
        });
    }
    let unknown = instances.iter().any(|one| one.error.is_some());
    let all = All {
        healthy: instances.iter().all(|one| one.healthy),
        instances,
    };
    let exit = if unknown || (args.check && !all.healthy) {
        Exit::Failure
    } else {
        Exit::Done
    };
    if args.json {
        out::json(&all)?;
    } else if args.check {
        out::report(&checked(&all), exit)?;
    } else {
        out::print(&text(&all, now, Width::of_stdout().or_full(args.wide)))?;
    }
    Ok(exit)
}

/// The configurations in the directory, by name.
fn files(directory: &Path) -> Result<Vec<(String, PathBuf)>> {
    let shown = directory.display();
    let entries = std::fs::read_dir(directory)
        .with_context(|| format!("could not list the configurations in '{shown}'"))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)))
        .collect();
    files.sort();
    if files.is_empty() {
        bail!(
            "there is no configuration in '{shown}': an instance NAME has the file NAME.toml there"
        );
    }
    Ok(files)
}

fn read(name: &str, file: &Path, env: &Environment, now: DateTime<Utc>) -> Result<Status> {
    let config = config(name, file, env)?;
    runtime::block_on(async {
        let store = Store::open(&config.database.path, Access::Read).await?;
        let status = Status::read(&store, &config, now).await;
        store.close().await;
        Ok(status?)
    })?
}

/// The configuration; the template unit sets the paths that the file does not.
fn config(name: &str, file: &Path, env: &Environment) -> Result<Config> {
    let loaded = Loaded::read(Some(file), env)?;
    if name == PLAIN {
        return Ok(loaded.config);
    }
    let state = format!("/var/lib/room-archiver/{name}");
    let mut variables: Vec<_> = env
        .iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    for (key, variable, below) in [
        (
            "archive.directory",
            "ROOM_ARCHIVER__ARCHIVE__DIRECTORY",
            "recordings",
        ),
        (
            "database.path",
            "ROOM_ARCHIVER__DATABASE__PATH",
            "archive.db",
        ),
    ] {
        if !loaded.origins.contains_key(key) {
            variables.push((variable.to_owned(), format!("{state}/{below}")));
        }
    }
    Ok(Config::load(Some(file), &variables.into_iter().collect())?)
}

/// Whether all are healthy, or which not and why.
fn checked(all: &All) -> String {
    let word = if all.healthy {
        "healthy"
    } else {
        "not healthy"
    };
    format!("{word}\n{}", problems(all, "  "))
}

fn text(all: &All, now: DateTime<Utc>, width: Width) -> String {
    let mut text = table::render(
        [
            Text("INSTANCE"),
            Left("HEALTHY"),
            Left("RUNNING"),
            Right("ARCHIVED"),
            Right("SIZE"),
            Right("MISSING"),
            Left("LAST COMPLETE POLL"),
        ],
        all.instances.iter().map(|one| row(one, now)),
        width,
    );
    let problems = problems(all, "");
    if !problems.is_empty() {
        text.extend(["\n", &problems]);
    }
    text
}

/// A line for each problem, with the name of its instance.
fn problems(all: &All, indent: &str) -> String {
    let mut text = String::new();
    for one in &all.instances {
        let problems = one.status.iter().flat_map(|status| &status.problems);
        let problems = problems.map(crate::app::health::Problem::line);
        for line in one.error.clone().into_iter().chain(problems) {
            let line = format!("{}: {line}", one.name);
            // Writing to a String can't fail. The errors of a configuration have several lines.
            for line in line.lines() {
                let _ = writeln!(text, "{indent}{}", escape::line(line));
            }
        }
    }
    text
}

fn row(one: &Instance, now: DateTime<Utc>) -> [String; 7] {
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let name = one.name.clone();
    let Some(status) = &one.status else {
        let [unknown, none] = ["unknown", ""].map(str::to_owned);
        return [
            name,
            unknown.clone(),
            unknown,
            none.clone(),
            none.clone(),
            none.clone(),
            none,
        ];
    };
    let poll = status
        .passes
        .iter()
        .find(|pass| pass.kind == PassKind::Poll);
    let poll = poll.and_then(|pass| time::parse(pass.last_complete_at.as_deref()?));
    [
        name,
        yes(status.healthy),
        yes(status.running),
        status
            .recordings
            .get(&State::Archived)
            .copied()
            .unwrap_or(0)
            .to_string(),
        human::size(status.archived_bytes),
        status.queue.missing.to_string(),
        poll.map_or_else(|| "never".to_owned(), |at| human::age(at, now)),
    ]
}
