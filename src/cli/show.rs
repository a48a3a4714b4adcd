//! `show`: everything that the database knows about one recording.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};

use super::args::ShowArgs;
use super::exit::Exit;
use super::table::Column::{Left, Right};
use super::{database, out, table};
use crate::clock::Clock;
use crate::config::Environment;
use crate::escape;
use crate::human;
use crate::model::time;
use crate::store::{Access, Attempt, Detail, WaitsFor};

pub(super) fn run(args: &ShowArgs, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let now = Clock::system().now();
    let text = database::with(file, env, Access::Read, async |store, config| {
        match store.detail(args.id).await? {
            Some(detail) => Ok(describe(&detail, &config.archive.directory, now)?),
            None => bail!(
                "no recording {} is known: if it is new, run 'room-archiver once --sweep' first",
                args.id
            ),
        }
    })?;
    out::print(&text)?;
    Ok(Exit::Done)
}

fn describe(detail: &Detail, archive: &Path, now: DateTime<Utc>) -> serde_json::Result<String> {
    let mut text = String::from("Recording\n");
    let mut recording = detail.recording.clone();
    if let Some(at) = recording.iter().position(|(name, _)| name == "path") {
        let file = archive.join(&recording[at].1).display().to_string();
        recording.insert(at + 1, ("file".to_owned(), file));
    }
    fields(&mut text, &recording, now);
    if !detail.session.is_empty() {
        text.push_str("\nSession\n");
        fields(&mut text, &detail.session, now);
    }
    if !detail.concerns.is_empty() {
        text.push_str("\nConcerns\n");
        let rows = detail.concerns.iter().cloned();
        text.push_str(&table::render(
            [Left("CONCERN"), Left("DETAIL"), Left("NOTED")],
            rows.map(|(kind, what, at)| [kind, what, at]),
        ));
    }
    if !detail.attempts.is_empty() {
        text.push_str("\nAttempts\n");
        text.push_str(&attempts(&detail.attempts));
    }
    if !detail.events.is_empty() {
        text.push_str("\nEvents\n");
        let rows = detail.events.iter().cloned();
        text.push_str(&table::render(
            [Left("AT"), Left("KIND"), Left("TEXT")],
            rows.map(|(at, kind, what)| [at, kind, what]),
        ));
    }
    text.push_str("\nAs SignalWire describes it\n");
    for line in serde_json::to_string_pretty(&detail.upstream)?.lines() {
        text.push_str(&escape::line(line));
        text.push('\n');
    }
    Ok(text)
}

fn fields(text: &mut String, fields: &[(String, String)], now: DateTime<Utc>) {
    for (name, value) in fields {
        let meaning = if name == "waits_for" {
            value.parse().ok().map(waits_for)
        } else if name.ends_with("_bytes") {
            value.parse().ok().map(human::size)
        } else if name.ends_with("_seconds") {
            value.parse().ok().map(human::seconds)
        } else {
            time::parse(value).map(|then| human::age(then, now))
        };
        match meaning {
            Some(meaning) => field(text, name, &format!("{value}  ({meaning})")),
            None => field(text, name, value),
        }
    }
}

/// What ends the wait for the next attempt.
fn waits_for(what: WaitsFor) -> String {
    let what = match what {
        WaitsFor::Space => "tried again as soon as the disk has room for it",
        WaitsFor::Recovery => {
            "tried again as soon as its media host, or another download, works again"
        }
        WaitsFor::Comparison => {
            "complete but odd: downloaded again at next_attempt_at and compared, because it may still be growing"
        }
    };
    what.to_owned()
}

fn field(text: &mut String, name: &str, value: &str) {
    // Writing to a String can't fail.
    let _ = writeln!(text, "{name:<19}  {}", escape::line(value));
}

fn attempts(attempts: &[Attempt]) -> String {
    let size = |bytes: i64| u64::try_from(bytes).map(human::size).unwrap_or_default();
    table::render(
        [
            Right("#"),
            Left("STARTED"),
            Left("TOOK"),
            Right("FROM"),
            Right("RECEIVED"),
            Right("HTTP"),
            Left("OUTCOME"),
            Left("ERROR"),
        ],
        attempts.iter().map(|attempt| {
            [
                attempt.attempt.to_string(),
                attempt.started_at.clone(),
                human::took(&attempt.started_at, attempt.ended_at.as_deref()),
                size(attempt.from_byte),
                size(attempt.bytes),
                attempt
                    .http_status
                    .map(|status| status.to_string())
                    .unwrap_or_default(),
                attempt.outcome.to_string(),
                attempt.error.clone().unwrap_or_default(),
            ]
        }),
    )
}
