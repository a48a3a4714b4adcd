//! `list`: recordings as a table, JSON or CSV, read a page at a time.

use std::io::Write as _;
use std::path::Path;

use anyhow::Result;

use super::args::{Format, ListArgs};
use super::exit::Exit;
use super::out::Stdout;
use super::{database, out};
use crate::config::{Environment, Since};
use crate::escape;
use crate::human;
use crate::store::{Access, Filter, Row};

/// Rows read at once.
const PAGE: usize = 2_000;

/// The columns of the CSV, in the order of [`Row`]'s fields.
const HEADER: [&str; 9] = [
    "recording_id",
    "session_id",
    "room_name",
    "state",
    "started_at",
    "duration_seconds",
    "size_bytes",
    "path",
    "last_error",
];

pub(super) fn run(args: &ListArgs, file: Option<&Path>, env: &Environment) -> Result<Exit> {
    database::with(file, env, Access::Read, async |store, _| {
        let rooms = match &args.room {
            // A recording without a room counts as one whose name is empty, as in the filter.
            Some(glob) => {
                let mut rooms = store.rooms().await?;
                rooms.retain(|room| glob.is_match(room));
                Some(rooms)
            }
            None => None,
        };
        let filter = Filter {
            states: args.state.clone(),
            rooms,
            since: args.since.as_ref().map(Since::at),
        };
        let mut printer = Printer::begin(args.format)?;
        for keys in store.list(&filter).await?.chunks(PAGE) {
            for row in store.rows(keys).await? {
                printer.row(&row)?;
            }
        }
        printer.end()?;
        Ok(Exit::Done)
    })
}

/// Writes rows in one of the formats.
enum Printer {
    Table(Stdout),
    Json { out: Stdout, first: bool },
    Csv(Box<csv::Writer<Stdout>>),
}

impl Printer {
    fn begin(format: Format) -> Result<Self> {
        let mut out = out::stdout();
        Ok(match format {
            Format::Table => {
                line(
                    &mut out,
                    [
                        "RECORDING",
                        "STARTED (UTC)",
                        "LENGTH",
                        "SIZE",
                        "STATE",
                        "ROOM",
                    ],
                )?;
                Self::Table(out)
            }
            Format::Json => {
                out.write_all(b"[")?;
                Self::Json { out, first: true }
            }
            Format::Csv => {
                let mut csv = csv::WriterBuilder::new()
                    .has_headers(false)
                    .from_writer(out);
                // csv writes its own header only with the first row.
                csv.write_record(HEADER)?;
                Self::Csv(Box::new(csv))
            }
        })
    }

    fn row(&mut self, row: &Row) -> Result<()> {
        match self {
            Self::Table(out) => cells(out, row)?,
            Self::Json { out, first } => {
                out.write_all(if *first { b"\n" } else { b",\n" })?;
                *first = false;
                out.write_all(&serde_json::to_vec(row)?)?;
            }
            Self::Csv(csv) => csv.serialize(guarded(row))?,
        }
        Ok(())
    }

    fn end(self) -> Result<()> {
        match self {
            Self::Table(mut out) => out.flush()?,
            Self::Json { mut out, first } => {
                out.write_all(if first { b"]\n" } else { b"\n]\n" })?;
                out.flush()?;
            }
            Self::Csv(mut csv) => csv.flush()?,
        }
        Ok(())
    }
}

/// The row with texts that no spreadsheet takes for a formula: names of rooms come from outside.
fn guarded(row: &Row) -> Row {
    Row {
        room_name: row.room_name.as_deref().map(guard),
        path: row.path.as_deref().map(guard),
        last_error: row.last_error.as_deref().map(guard),
        ..row.clone()
    }
}

/// An apostrophe in front of what begins a formula. In front of an apostrophe, too: so removing one gives the text back.
fn guard(text: &str) -> String {
    let risky = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\'']);
    if risky {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn cells(out: &mut Stdout, row: &Row) -> Result<()> {
    let started = row
        .started_at
        .as_deref()
        .map(human::time)
        .unwrap_or_default();
    let length = row.duration_seconds.map(human::seconds).unwrap_or_default();
    let size = row
        .size_bytes
        .and_then(|bytes| u64::try_from(bytes).ok())
        .map(human::size)
        .unwrap_or_default();
    let room = escape::line(row.room_name.as_deref().unwrap_or_default());
    line(
        out,
        [
            &row.recording_id,
            &started,
            &length,
            &size,
            row.state.as_str(),
            &room,
        ],
    )
}

/// A line of the table. The widths are fixed, as later rows are not read yet; room names vary most and come last.
fn line(out: &mut Stdout, [id, started, length, size, state, room]: [&str; 6]) -> Result<()> {
    let text = format!("{id:<36}  {started:<19}  {length:>12}  {size:>10}  {state:<11}  {room}");
    Ok(writeln!(out, "{}", text.trim_end())?)
}
