//! `verify`: reads archived files again.

mod work;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use serde_json::{Value, json};

use work::Work;

use super::args::VerifyArgs;
use super::exit::Exit;
use super::once::stop_on_signals;
use super::progress::Progress;
use super::runtime::block_on;
use super::{ids, out};
use crate::app::write_sidecars;
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::escape;
use crate::human;
use crate::owner::refuse_foreign;
use crate::reconcile;
use crate::sidecar::Keeper;
use crate::store::{Access, OpenError, Store};
use crate::verify::{Findings, Scope, Verifier};

pub fn run(args: &VerifyArgs, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let config = Config::load(file, env)?;
    block_on(verify(args, &config))?
}

async fn verify(args: &VerifyArgs, config: &Config) -> Result<Exit> {
    let path = &config.database.path;
    refuse_foreign(path, &config.archive.directory, None)?;
    if !path.exists() {
        return Err(OpenError::Missing(path.clone()).into());
    }
    let store = Store::open(path, Access::Write).await?;
    let root = reconcile::open_known(&config.archive.directory, &store).await?;
    let scope = if args.full {
        Scope::All
    } else if args.ids.is_empty() {
        Scope::Budget(config.verify.bytes_per_run.0)
    } else {
        Scope::These(ids::recordings(&store, &args.ids).await?)
    };
    let clock = Clock::system();
    let work = Arc::new(Work::new(whole(&store, &scope).await?));
    let showing = work.clone();
    let progress = Progress::show(clock.clone(), move || showing.picture());
    let (begun, moving) = (work.clone(), work);
    let stop = stop_on_signals();
    let keeper = config.archive.sidecars.then(|| Keeper {
        store: store.clone(),
        root: root.clone(),
        clock: Clock::system(),
        project_id: config.signalwire.project_id.clone(),
        mode: config.archive.file_mode.bits(),
        stop: stop.clone(),
    });
    let verifier = Verifier {
        store: store.clone(),
        root,
        clock,
        stop,
        begins: Arc::new(move |path, bytes| begun.begin(path, bytes)),
        read: Arc::new(move |bytes| moving.read(bytes)),
    };
    let findings = verifier.run(&scope).await;
    progress.finish().await;
    let stopped = verifier.stop.is_cancelled();
    drop(verifier);
    let findings = findings?;
    write_sidecars(keeper.as_ref()).await?;
    drop(keeper);
    store.close().await;
    let exit = if !findings.damaged.is_empty() || !findings.sidecars.is_empty() {
        Exit::Damage
    } else if !findings.not_archived.is_empty()
        || !findings.evicted.is_empty()
        || !findings.unreadable.is_empty()
        || stopped
    {
        Exit::Failure
    } else {
        Exit::Done
    };
    if args.json {
        out::json(&object(&findings, !stopped))?;
    } else {
        out::report(&describe(&findings, stopped), exit)?;
    }
    Ok(exit)
}

/// The bytes of the files that will be read.
async fn whole(store: &Store, scope: &Scope) -> Result<u64> {
    let archived = async || store.counts().await.map(|counts| counts.archived_bytes);
    Ok(match scope {
        Scope::All => archived().await?,
        Scope::Budget(budget) => archived().await?.min(*budget),
        Scope::These(ids) => {
            let mut bytes = 0;
            for id in ids {
                let file = store.verifiable_file(*id).await?;
                bytes += file.map_or(0, |file| file.bytes);
            }
            bytes
        }
    })
}

/// The JSON that scripts read: never rename a key.
fn object(findings: &Findings, complete: bool) -> Value {
    let damaged = findings.damaged.iter().map(|(id, path, damage)| {
        json!({"recording_id": id.to_string(), "path": path, "damage": damage})
    });
    let unreadable = findings.unreadable.iter().map(
        |(id, path, error)| json!({"recording_id": id.to_string(), "path": path, "error": error}),
    );
    let sidecars = findings.sidecars.iter().map(
        |(id, path, damage)| json!({"recording_id": id.to_string(), "path": path, "damage": damage}),
    );
    let evicted = findings.evicted.iter().map(ToString::to_string);
    let not_archived = findings.not_archived.iter().map(ToString::to_string);
    json!({
        "complete": complete,
        "files": findings.files,
        "bytes": findings.bytes,
        "damaged": damaged.collect::<Vec<_>>(),
        "unreadable": unreadable.collect::<Vec<_>>(),
        "sidecars": sidecars.collect::<Vec<_>>(),
        "evicted": evicted.collect::<Vec<_>>(),
        "not_archived": not_archived.collect::<Vec<_>>(),
    })
}

fn describe(findings: &Findings, stopped: bool) -> String {
    let mut text = String::new();
    for (id, path, damage) in &findings.damaged {
        _ = writeln!(text, "{damage}: {} (recording {id})", escape::line(path));
    }
    for (id, path, error) in &findings.unreadable {
        let path = escape::line(path);
        _ = writeln!(text, "could not be read: {path} (recording {id}): {error}");
    }
    for (id, path, damage) in &findings.sidecars {
        let path = escape::line(path);
        _ = writeln!(text, "{damage}: {path} (sidecar of recording {id})");
    }
    for id in &findings.evicted {
        _ = writeln!(
            text,
            "in object stores only: recording {id}; copies are verified by the service, and 'room-archiver fetch' brings the file back"
        );
    }
    for id in &findings.not_archived {
        _ = writeln!(text, "not archived: recording {id}");
    }
    _ = writeln!(
        text,
        "verified {} ({}), {} damaged{}",
        human::count(findings.files, "file"),
        human::size(findings.bytes),
        findings.damaged.len(),
        if stopped {
            "; stopped before the end"
        } else {
            ""
        }
    );
    if !findings.damaged.is_empty() {
        text.push_str("the service, or 'room-archiver once', downloads damaged recordings again\n");
    }
    if !findings.sidecars.is_empty() {
        text.push_str("sidecars that were missing or altered were written again\n");
    }
    if !findings.unreadable.is_empty() {
        text.push_str(
            "files that could not be read were not verified: give them to the service's user\n",
        );
    }
    text
}
