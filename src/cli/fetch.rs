//! `fetch`: brings files back from their copies.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::args::FetchArgs;
use super::exit::Exit;
use super::once::stop_on_signals;
use super::runtime::block_on;
use super::{ids, out};
use crate::app::Targets;
use crate::archive::part::{Batches, hash_file};
use crate::archive::paths::RelativePath;
use crate::archive::root::Root;
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::cooldown::Cooldowns;
use crate::escape;
use crate::human;
use crate::model::RecordingId;
use crate::offsite::{FetchError, Fetcher, Wanted};
use crate::owner::refuse_foreign;
use crate::reconcile;
use crate::store::{Access, ArchivedFile, OpenError, Store};

pub(super) fn run(args: &FetchArgs, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let config = Config::load(file, env)?;
    block_on(fetch(args, &config, env))?
}

async fn fetch(args: &FetchArgs, config: &Config, env: &Environment) -> Result<Exit> {
    let path = &config.database.path;
    refuse_foreign(path, &config.archive.directory, None)?;
    if !path.exists() {
        return Err(OpenError::Missing(path.clone()).into());
    }
    let clock = Clock::system();
    let store = Store::open(path, Access::Write).await?;
    let wanted = ids::recordings(&store, &args.ids).await?;
    let root = reconcile::open_known(&config.archive.directory, &store).await?;
    let cooldowns = Cooldowns::load(store.cooldowns().await?);
    let targets = Targets::of(config, env, &store, &clock, &cooldowns).await?;
    let unusable = targets.unusable();
    let unusable: Vec<String> = unusable.map(|(_, error)| error.to_owned()).collect();
    let source = Fetcher {
        store: store.clone(),
        root,
        targets: targets.usable().collect(),
        batches: Batches::default(),
        stop: stop_on_signals(),
        read: Arc::new(|_| {}),
    };
    let mut outcomes = Vec::new();
    for id in wanted {
        let done = if source.stop.is_cancelled() {
            Err(FetchError::Stopped.into())
        } else {
            one(&source, config, &clock, id, &unusable).await
        };
        outcomes.push((id, done));
    }
    drop(source);
    store.close().await;
    let exit = if outcomes.iter().all(|(_, done)| done.is_ok()) {
        Exit::Done
    } else {
        Exit::Failure
    };
    if args.json {
        out::json(&object(&outcomes))?;
    } else {
        out::report(&describe(&outcomes), exit)?;
    }
    Ok(exit)
}

/// A file that is on the disk.
struct Here {
    file: ArchivedFile,
    /// What it was fetched from; `None`: it was there.
    from: Option<String>,
}

type Outcomes = [(RecordingId, Result<Here>)];

/// The JSON that scripts read: never rename a key.
fn object(outcomes: &Outcomes) -> Value {
    let recordings = outcomes.iter().map(|(id, done)| {
        let here = done.as_ref().ok();
        json!({
            "recording_id": id.to_string(),
            "path": here.map(|here| &here.file.path),
            "from": here.and_then(|here| here.from.as_ref()),
            "error": done.as_ref().err().map(|error| format!("{error:#}")),
        })
    });
    json!({"recordings": recordings.collect::<Vec<_>>()})
}

fn describe(outcomes: &Outcomes) -> String {
    let mut text = String::new();
    let (mut fetched, mut bytes) = (0_u64, 0);
    for (id, done) in outcomes {
        let line = match done {
            Ok(Here { file, from: None }) => format!("{}: is on the disk", file.path),
            Ok(Here {
                file,
                from: Some(from),
            }) => {
                fetched += 1;
                bytes += file.bytes;
                format!("{}: fetched from {from}", file.path)
            }
            Err(error) => format!("recording {id}: {error:#}"),
        };
        _ = writeln!(text, "{}", escape::line(&line));
    }
    _ = writeln!(
        text,
        "fetched {} ({})",
        human::count(fetched, "file"),
        human::size(bytes)
    );
    text
}

async fn one(
    source: &Fetcher,
    config: &Config,
    clock: &Clock,
    id: RecordingId,
    unusable: &[String],
) -> Result<Here> {
    let store = &source.store;
    let Some(found) = store.fetchable(id).await? else {
        bail!("it is not known");
    };
    let Some(file) = found.archived else {
        match found.state.as_str() {
            "damaged" => bail!("it is damaged: the service, or 'room-archiver once', repairs it"),
            state => bail!("it is {state}, not archived"),
        }
    };
    if !file.evicted {
        return Ok(Here { file, from: None });
    }
    let path = RelativePath::parse(&file.path)?;
    let from = if is_there(&source.root, &path, &file).await? {
        "the disk, where it still was".to_owned()
    } else {
        let landed = transfer(source, config, id, &file, &path, unusable).await;
        if landed.is_err() {
            // What it left takes up room, and the next one would begin again.
            let root = source.root.clone();
            _ = tokio::task::spawn_blocking(move || root.remove_part(id)).await?;
        }
        landed?
    };
    store.fetched(id, &from, clock.now()).await?;
    let from = Some(from);
    Ok(Here { file, from })
}

/// Brings the file to its place. Returns the target that it came from.
async fn transfer(
    source: &Fetcher,
    config: &Config,
    id: RecordingId,
    file: &ArchivedFile,
    path: &RelativePath,
    unusable: &[String],
) -> Result<String> {
    space(&source.root, config, file.bytes)?;
    let wanted = Wanted {
        id,
        sha256: file.sha256.clone(),
    };
    let fetched = match source.fill_part(&wanted).await {
        Err(FetchError::NoCopy) if !unusable.is_empty() => bail!("{}", unusable.join("; ")),
        fetched => fetched?,
    };
    let (root, at) = (source.root.clone(), path.clone());
    let mode = config.archive.file_mode.bits();
    let (part, _, _) = fetched.part.finish()?;
    tokio::task::spawn_blocking(move || {
        root.check_there()?;
        part.sync_all()?;
        drop(part);
        if root.stat(&at)?.is_some() {
            root.quarantine(&at, "unexpected")?;
        }
        Ok::<_, anyhow::Error>(root.land(id, &at, mode)?)
    })
    .await??;
    Ok(fetched.target)
}

/// Whether the right file is at its place all the same, and is durable.
async fn is_there(root: &Arc<Root>, path: &RelativePath, file: &ArchivedFile) -> Result<bool> {
    let (root, path) = (root.clone(), path.clone());
    let (bytes, sha256) = (file.bytes, file.sha256.clone());
    let looked = tokio::task::spawn_blocking(move || {
        let Ok(file) = root.open_file(&path) else {
            return false;
        };
        let same = file.metadata().is_ok_and(|stat| stat.len() == bytes)
            && hash_file(&file, |_| true).is_ok_and(|(_, found)| found == sha256);
        same && root.make_durable(&path).is_ok()
    });
    Ok(looked.await?)
}

fn space(root: &Root, config: &Config, bytes: u64) -> Result<()> {
    let free = root.free_space().context("could not look for free space")?;
    let reserve = config.archive.min_free_space.0;
    if free < bytes.saturating_add(reserve) {
        bail!(
            "{} needed, {} free, of which archive.min_free_space keeps {}: make room",
            human::size(bytes),
            human::size(free),
            human::size(reserve)
        );
    }
    Ok(())
}
