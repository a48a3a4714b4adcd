//! `show`: everything that the database knows about one recording.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::args::ShowArgs;
use super::exit::Exit;
use super::table::Column::{Left, Note, Right, Spare, Time};
use super::width::{Width, columns};
use super::{database, ids, out, table};
use crate::clock::Clock;
use crate::config::Environment;
use crate::escape;
use crate::human;
use crate::model::time;
use crate::store::{Access, Attempt, CopyOf, Detail, WaitsFor};

pub(super) fn run(args: &ShowArgs, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    let now = Clock::system().now();
    let (detail, copies, archive) = database::with(
        file,
        env,
        Access::Read,
        async |store, config| {
            let id = ids::recording(store, &args.id).await?;
            match store.detail(id).await? {
                Some(detail) => {
                    let copies = store.copies_of(id).await?;
                    Ok((detail, copies, config.archive.directory.clone()))
                }
                None => bail!(
                    "no recording {id} is known: if it is new, run 'room-archiver once --sweep' first"
                ),
            }
        },
    )?;
    let detail = with_file(detail, &archive);
    if args.json {
        out::json(&object(&detail, &copies))?;
    } else {
        out::print(&describe(&detail, &copies, now, Width::of_stdout())?)?;
    }
    Ok(Exit::Done)
}

/// Adds where the file is on this machine.
fn with_file(mut detail: Detail, archive: &Path) -> Detail {
    let evicted = is_evicted(&detail);
    let recording = &mut detail.recording;
    if let Some(at) = recording.iter().position(|(name, _)| name == "path") {
        let path = recording[at].1.as_str().filter(|_| !evicted);
        let file = path.map(|path| archive.join(path));
        let file = file.map_or(Value::Null, |file| file.display().to_string().into());
        recording.insert(at + 1, ("file".to_owned(), file));
    }
    detail
}

/// Whether only copies are left of its file.
fn is_evicted(detail: &Detail) -> bool {
    let mut recording = detail.recording.iter();
    recording.any(|(name, at)| name == "evicted_at" && !at.is_null())
}

/// The JSON that scripts read: never rename a key.
fn object(detail: &Detail, copies: &[CopyOf]) -> Value {
    let map = |fields: &[(String, Value)]| Value::Object(fields.iter().cloned().collect());
    let concerns = detail
        .concerns
        .iter()
        .map(|(concern, what, at)| json!({"concern": concern, "detail": what, "noted_at": at}));
    let events = detail
        .events
        .iter()
        .map(|(at, kind, text)| json!({"at": at, "kind": kind, "text": text}));
    json!({
        "recording": map(&detail.recording),
        "session": if detail.session.is_empty() { Value::Null } else { map(&detail.session) },
        "concerns": concerns.collect::<Vec<_>>(),
        "copies": copies,
        "attempts": detail.attempts,
        "events": events.collect::<Vec<_>>(),
        "upstream": detail.upstream,
    })
}

fn describe(
    detail: &Detail,
    copies: &[CopyOf],
    now: DateTime<Utc>,
    width: Width,
) -> serde_json::Result<String> {
    let mut text = String::from("Recording\n");
    fields(&mut text, &detail.recording, now, width);
    if is_evicted(detail) {
        text.push_str("The file is not on this disk, only in the copies below: 'room-archiver fetch' brings it back.\n");
    }
    if !detail.session.is_empty() {
        text.push_str("\nSession\n");
        fields(&mut text, &detail.session, now, width);
    }
    if !detail.concerns.is_empty() {
        text.push_str("\nConcerns\n");
        let rows = detail.concerns.iter().cloned();
        text.push_str(&table::render(
            [Left("CONCERN"), Time("NOTED (UTC)"), Note("DETAIL")],
            rows.map(|(kind, what, at)| [kind, human::time(&at), what]),
            width,
        ));
    }
    if !copies.is_empty() {
        text.push_str("\nCopies\n");
        text.push_str(&copies_table(copies, width));
    }
    if !detail.attempts.is_empty() {
        text.push_str("\nAttempts\n");
        text.push_str(&attempts(&detail.attempts, width));
    }
    if !detail.events.is_empty() {
        text.push_str("\nEvents\n");
        let rows = detail.events.iter().cloned();
        text.push_str(&table::render(
            [Time("AT (UTC)"), Left("KIND"), Note("TEXT")],
            rows.map(|(at, kind, what)| [human::time(&at), kind, what]),
            width,
        ));
    }
    text.push_str("\nAs SignalWire describes it\n");
    for line in serde_json::to_string_pretty(&detail.upstream)?.lines() {
        text.push_str(&escape::line(line));
        text.push('\n');
    }
    Ok(text)
}

fn fields(text: &mut String, fields: &[(String, Value)], now: DateTime<Utc>, width: Width) {
    for (name, value) in fields {
        let value = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            number => number.to_string(),
        };
        let meaning = if name == "waits_for" {
            value.parse().ok().map(waits_for)
        } else if name.ends_with("_bytes") {
            value.parse().ok().map(human::size)
        } else if name.ends_with("_seconds") {
            value.parse().ok().map(human::seconds)
        } else {
            time::parse(&value).map(|then| human::age(then, now))
        };
        match meaning {
            Some(meaning) => field(text, name, &format!("{value}  ({meaning})"), width),
            None => field(text, name, &value, width),
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

/// A name and its value. A value that does not fit beside its name stands below it; it is never cut or broken inside a
/// word, so that it can be copied.
fn field(text: &mut String, name: &str, value: &str, width: Width) {
    let value = escape::line(value);
    // Writing to a String can't fail.
    let _ = if width.holds(21 + columns(&value)) {
        writeln!(text, "{name:<19}  {value}")
    } else {
        writeln!(text, "{name}\n    {value}")
    };
}

fn copies_table(copies: &[CopyOf], width: Width) -> String {
    let time = |at: &Option<String>| at.as_deref().map(human::time).unwrap_or_default();
    table::render(
        [
            Left("TARGET"),
            Left("STATE"),
            Time("COPIED (UTC)"),
            Time("VERIFIED (UTC)"),
            Note("ERROR OR KEY"),
        ],
        copies.iter().map(|copy| {
            let note = copy.error.as_ref().or(copy.key.as_ref());
            [
                copy.target.clone(),
                copy.state.clone(),
                time(&copy.copied_at),
                time(&copy.verified_at),
                note.cloned().unwrap_or_default(),
            ]
        }),
        width,
    )
}

fn attempts(attempts: &[Attempt], width: Width) -> String {
    let size = |bytes: i64| u64::try_from(bytes).map(human::size).unwrap_or_default();
    table::render(
        [
            Right("#"),
            Time("STARTED (UTC)"),
            Spare("TOOK"),
            Spare("FROM"),
            Right("RECEIVED"),
            Right("HTTP"),
            Left("OUTCOME"),
            Note("ERROR"),
        ],
        attempts.iter().map(|attempt| {
            [
                attempt.attempt.to_string(),
                human::time(&attempt.started_at),
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
        width,
    )
}
