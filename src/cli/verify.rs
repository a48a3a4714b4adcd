//! `verify`: reads archived files again.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use indicatif::ProgressBar;

use super::args::VerifyArgs;
use super::exit::Exit;
use super::once::stop_on_signals;
use super::out;
use super::progress::bytes_style;
use super::runtime::block_on;
use crate::app::write_sidecars;
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::escape;
use crate::human;
use crate::owner::refuse_foreign;
use crate::reconcile;
use crate::sidecar::Keeper;
use crate::store::{Access, OpenError, Store};
use crate::verify::{Scope, Verifier};

pub fn run(args: &VerifyArgs, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let config = Config::load(file, env)?;
    block_on(verify(args, &config))?
}

async fn verify(args: &VerifyArgs, config: &Config) -> Result<Exit> {
    let path = &config.database.path;
    if !path.exists() {
        return Err(OpenError::Missing(path.clone()).into());
    }
    refuse_foreign(path, &config.archive.directory, None)?;
    let store = Store::open(path, Access::Write).await?;
    let root = reconcile::open_known(&config.archive.directory, &store).await?;
    let scope = if args.full {
        Scope::All
    } else if args.ids.is_empty() {
        Scope::Budget(config.verify.bytes_per_run.0)
    } else {
        Scope::These(args.ids.clone())
    };
    let total = store.counts().await?.archived_bytes;
    let bar = match &scope {
        Scope::These(_) => ProgressBar::new_spinner(),
        Scope::All => ProgressBar::new(total),
        Scope::Budget(budget) => ProgressBar::new(total.min(*budget)),
    };
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    bar.set_style(bytes_style());
    bar.set_message("verifying");
    let moving = bar.clone();
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
        clock: Clock::system(),
        stop,
        read: Arc::new(move |bytes| moving.inc(bytes)),
    };
    let findings = verifier.run(&scope).await;
    bar.finish_and_clear();
    let stopped = verifier.stop.is_cancelled();
    drop(verifier);
    let findings = findings?;
    write_sidecars(keeper.as_ref()).await?;
    drop(keeper);
    store.close().await;
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
    for id in &findings.not_archived {
        _ = writeln!(text, "not archived: recording {id}");
    }
    _ = writeln!(
        text,
        "verified {} ({}), {} damaged",
        human::count(findings.files, "file"),
        human::size(findings.bytes),
        findings.damaged.len()
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
    out::print(&text)?;
    Ok(
        if !findings.damaged.is_empty() || !findings.sidecars.is_empty() {
            Exit::Damage
        } else if !findings.not_archived.is_empty() || !findings.unreadable.is_empty() || stopped {
            Exit::Failure
        } else {
            Exit::Done
        },
    )
}
