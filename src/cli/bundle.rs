//! `support-bundle`: a tar file for a report of a problem. It holds what is listed here and nothing else, and names nobody:
//! see [`Scrubber`].

mod collect;
mod scrub;
mod settings;
mod tar;

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::args::BundleArgs;
use super::exit::Exit;
use super::{out, runtime};
use crate::archive::paths::room_directory;
use crate::clock::Clock;
use crate::config::{Config, ConfigErrors, Environment, Loaded};
use crate::escape;
use crate::store::{Access, Store};
use scrub::Scrubber;

/// The directory in the tar file.
const DIRECTORY: &str = "room-archiver-support";

const README: &str = "\
A support bundle of room-archiver. Look through it before you send it.

version.txt   program, system, and when this was collected
config.toml   the settings in effect; what could name you is (hidden)
doctor.txt    what room-archiver doctor found
status.json   what room-archiver status --json shows
database.txt  tables, views and the number of rows of each; no rows
log.txt       the last lines of the journal
unit.txt      the state of the systemd unit

The API token and links are never in it. Space and project are hidden everywhere. Unless it was made with
--include-room-names, so are the names of rooms and the paths of files, and each id is replaced by a number: the
same number is the same id.
";

pub(super) fn run(args: &BundleArgs, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let target = create(&args.file)?;
    let written = collect(args, file, env).and_then(|files| write(target, &files));
    if let Err(error) = written {
        // Ours: it was created above.
        _ = std::fs::remove_file(&args.file);
        return Err(error);
    }
    let name = args.file.display().to_string();
    let name = escape::line(&name);
    out::print(&format!(
        "wrote {name}; look through it before you send it: tar -xOf {name} | less\n"
    ))?;
    Ok(Exit::Done)
}

/// A new file that only its owner can read.
fn create(path: &Path) -> Result<File> {
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match created {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("'{}' exists already: choose another name", path.display())
        }
        created => created.with_context(|| format!("could not create '{}'", path.display())),
    }
}

/// The files of the bundle: name and text.
type Files = Vec<(&'static str, String)>;

fn collect(args: &BundleArgs, file: Option<&Path>, env: &Environment) -> Result<Files> {
    let now = Clock::system().now();
    let loaded = Loaded::read(file, env);
    let config = loaded.as_ref().ok().map(|loaded| &loaded.config);
    let rooms = config.map(rooms).unwrap_or_default();
    let scrubber = Scrubber::new(config, env, &rooms, args.include_room_names)?;
    let settings = match &loaded {
        Ok(loaded) => settings::shown(&loaded.config),
        Err(errors) => Ok(problems(errors)),
    };
    let collected = [
        ("version.txt", Ok(collect::version(now))),
        ("config.toml", settings),
        (
            "doctor.txt",
            super::doctor::text(file, env).map(|(text, _)| text),
        ),
        ("status.json", with_store(config, collect::status)),
        ("database.txt", with_store(config, collect::database)),
        ("log.txt", collect::log(&collect::unit(file, env))),
        ("unit.txt", collect::state(&collect::unit(file, env))),
    ];
    let mut files = vec![("README.txt", README.to_owned())];
    for (name, text) in collected {
        // What can't be collected says much about the problem, too.
        let text = text.unwrap_or_else(|error| format!("could not be collected: {error:#}\n"));
        files.push((name, scrubber.lines(&text)));
    }
    Ok(files)
}

fn problems(errors: &ConfigErrors) -> String {
    format!("# {}\n", errors.to_string().replace('\n', "\n# "))
}

/// The names of all rooms, and those of their directories.
fn rooms(config: &Config) -> Vec<String> {
    let rooms = with_store(Some(config), async |store, _| Ok(store.rooms().await?));
    let rooms = rooms.unwrap_or_default();
    let directories: Vec<_> = rooms.iter().map(|room| room_directory(room)).collect();
    rooms.into_iter().chain(directories).collect()
}

fn with_store<T>(
    config: Option<&Config>,
    work: impl AsyncFnOnce(&Store, &Config) -> Result<T>,
) -> Result<T> {
    let config = config.context("the configuration is not valid")?;
    runtime::block_on(async {
        let store = Store::open(&config.database.path, Access::Read).await?;
        let done = work(&store, config).await;
        store.close().await;
        done
    })?
}

fn write(mut target: File, files: &Files) -> Result<()> {
    let made = Clock::system().now();
    let mut bytes = Vec::new();
    for (name, text) in files {
        tar::append(
            &mut bytes,
            &format!("{DIRECTORY}/{name}"),
            text.as_bytes(),
            made,
        );
    }
    tar::end(&mut bytes);
    let written = target.write_all(&bytes).and_then(|()| target.sync_all());
    written.context("could not write the bundle")
}
