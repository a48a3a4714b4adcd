//! `list`: recordings as a table, JSON or CSV, read a page at a time.

use std::io::Write as _;
use std::path::Path;

use anyhow::Result;

use super::args::{Format, ListArgs};
use super::exit::{Exit, Usage};
use super::out::Stdout;
use super::recordings::{self, Line};
use super::table::Column::{self, Id, Left, Text};
use super::table::{Layout, escaped};
use super::width::Width;
use super::{database, ids, out};
use crate::clock::Clock;
use crate::config::Environment;
use crate::model::State;
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
    let now = Clock::system().now();
    let since = args.since.as_ref().map(|since| since.start(now));
    let until = args.until.as_ref().map(|until| until.end(now));
    if since.zip(until).is_some_and(|(since, until)| since > until) {
        return Err(Usage("--since is later than --until").into());
    }
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
        let session = match &args.session {
            Some(prefix) => Some(ids::session(store, prefix).await?),
            None => None,
        };
        let filter = Filter {
            states: args.state.clone(),
            rooms,
            session,
            since,
            until,
            newest: args.limit,
        };
        let keys = store.list(&filter).await?;
        if out::is_quiet() && args.format == Format::Table {
            return Ok(Exit::Done);
        }
        let mut printer = Printer::begin(args)?;
        for page in keys.chunks(PAGE) {
            printer.rows(&store.rows(page).await?, keys.len() > PAGE)?;
        }
        printer.end()?;
        Ok(Exit::Done)
    })
}

/// Writes rows in one of the formats.
enum Printer {
    Table(Table),
    Json { out: Stdout, first: bool },
    Csv(Box<csv::Writer<Stdout>>),
}

impl Printer {
    fn begin(args: &ListArgs) -> Result<Self> {
        let mut out = out::stdout();
        Ok(match args.format {
            Format::Table => Self::Table(Table {
                out,
                wide: args.wide,
                width: Width::of_stdout().or_full(args.wide),
                layout: None,
            }),
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

    /// Writes a page of rows; `more`: it is not the only one.
    fn rows(&mut self, rows: &[Row], more: bool) -> Result<()> {
        match self {
            Self::Table(table) => table.rows(rows, more)?,
            Self::Json { out, first } => {
                for row in rows {
                    out.write_all(if *first { b"\n" } else { b",\n" })?;
                    *first = false;
                    out.write_all(&serde_json::to_vec(row)?)?;
                }
            }
            Self::Csv(csv) => {
                for row in rows {
                    csv.serialize(guarded(row))?;
                }
            }
        }
        Ok(())
    }

    fn end(self) -> Result<()> {
        match self {
            Self::Table(mut table) => {
                // Of a list without rows there is only the header.
                table.layout(&[], false)?;
                table.out.flush()?;
            }
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

/// A table whose columns fit its first page.
struct Table {
    out: Stdout,
    wide: bool,
    width: Width,
    layout: Option<Layout>,
}

impl Table {
    fn rows(&mut self, rows: &[Row], more: bool) -> Result<()> {
        let rows: Vec<_> = rows.iter().map(|row| cells(row, self.wide)).collect();
        self.layout(&rows, more)?;
        if let Some(layout) = &self.layout {
            for row in &rows {
                self.out.write_all(layout.row(row).as_bytes())?;
            }
        }
        Ok(())
    }

    /// Writes the header above the first page. Later pages can be wider, up to the widest usual values.
    fn layout(&mut self, first: &[Vec<String>], more: bool) -> Result<()> {
        if self.layout.is_some() {
            return Ok(());
        }
        let mut rows: Vec<&[String]> = first.iter().map(Vec::as_slice).collect();
        let widest = Line {
            id: "",
            started_at: None,
            duration_seconds: Some(59.0 * 60.0 + 59.0),
            size_bytes: Some(1_098_437_885_952),
            state: State::Downloading,
            room_name: None,
        };
        let widest = widest.cells();
        if more {
            rows.push(&widest);
        }
        let columns: &[Column] = if self.wide {
            &WIDE
        } else {
            &recordings::COLUMNS
        };
        let layout = Layout::fit(columns, &rows, self.width);
        self.out.write_all(layout.header().as_bytes())?;
        self.layout = Some(layout);
        Ok(())
    }
}

/// The columns of `--wide`.
const WIDE: [Column; 9] = {
    let [id, started, length, size, state, room] = recordings::COLUMNS;
    [
        id,
        started,
        length,
        size,
        state,
        room,
        Id("SESSION"),
        Text("FILE"),
        Left("LAST ERROR"),
    ]
};

fn cells(row: &Row, wide: bool) -> Vec<String> {
    let line = Line {
        id: &row.recording_id,
        started_at: row.started_at.as_deref(),
        duration_seconds: row.duration_seconds,
        size_bytes: row.size_bytes.and_then(|bytes| bytes.try_into().ok()),
        state: row.state,
        room_name: row.room_name.as_deref(),
    };
    let mut cells: Vec<_> = escaped(line.cells()).into();
    if wide {
        let more = [&row.session_id, &row.path, &row.last_error];
        cells.extend(escaped(more.map(|text| text.clone().unwrap_or_default())));
    }
    cells
}
