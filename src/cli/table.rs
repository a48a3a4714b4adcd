//! Tables that fit the terminal, whatever characters the cells contain. Where the output is no terminal, and with
//! `--wide`, every value is there in full.

use std::collections::HashSet;

use self::Column::{Id, Left, Note, Rare, Right, Spare, Text, Time};
use super::width::{Width, columns, cut, lines};
use crate::escape;

/// Columns between two cells.
const GAP: usize = 2;
/// The lengths that an id is shortened to: the first is tried first, the others if ids would look the same.
const ID_LENGTHS: [usize; 4] = [8, 13, 18, 23];

/// A column's title, and what becomes of its cells where they do not fit.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// Short text, always whole.
    Left(&'static str),
    /// A number, always whole.
    Right(&'static str),
    /// An id: its first characters.
    Id(&'static str),
    /// A time as `human::time` writes it: loses its seconds, then its time of day, then all of it.
    Time(&'static str),
    /// A name: its end is cut off.
    Text(&'static str),
    /// A number that can be left out; of several, the first goes first.
    Spare(&'static str),
    /// Short text, always whole; the column is left out if no row has any.
    Rare(&'static str),
    /// A long text, in the last column: goes below its row, broken into lines.
    Note(&'static str),
}

impl Column {
    const fn title(self) -> &'static str {
        match self {
            Left(title) | Right(title) | Id(title) | Time(title) | Text(title) | Spare(title)
            | Note(title) | Rare(title) => title,
        }
    }
}

/// The table as text without borders: a header, then a line for each row. Every cell is escaped.
#[must_use]
pub fn render<const N: usize>(
    columns: [Column; N],
    rows: impl IntoIterator<Item = [String; N]>,
    width: Width,
) -> String {
    let rows: Vec<_> = rows.into_iter().map(escaped).collect();
    let layout = Layout::fit(&columns, &rows, width);
    let lines = rows.iter().map(|row| layout.row(row));
    std::iter::once(layout.header()).chain(lines).collect()
}

/// The cells as they are printed.
#[must_use]
pub fn escaped<const N: usize>(row: [String; N]) -> [String; N] {
    row.map(|cell| match escape::line(&cell) {
        std::borrow::Cow::Borrowed(_) => cell,
        std::borrow::Cow::Owned(escaped) => escaped,
    })
}

/// Which columns are printed, and how wide.
#[derive(Debug)]
pub struct Layout {
    columns: Vec<Column>,
    /// `None`: left out, or below the row.
    widths: Vec<Option<usize>>,
    id_length: usize,
    width: Width,
}

/// What is given up so that a table fits, step by step.
#[derive(Clone, Copy, Debug, Default)]
struct Savings {
    notes_below: bool,
    short_ids: bool,
    time_cut: usize,
    spares_dropped: usize,
    no_times: bool,
    /// What is left of a longer text. If that does not fit, the next step is taken.
    least_text: usize,
}

impl Layout {
    /// The layout in which escaped rows keep as much as fits.
    #[must_use]
    pub fn fit<Row: AsRef<[String]>>(columns: &[Column], rows: &[Row], width: Width) -> Self {
        let id_length = id_length(columns, rows);
        let natural = natural(columns, rows);
        let spares = columns
            .iter()
            .filter(|column| matches!(column, Spare(_)))
            .count();
        let mut steps = vec![Savings {
            least_text: 40,
            ..Savings::default()
        }];
        let mut next = |change: &dyn Fn(&mut Savings)| {
            let mut step = *steps.last().unwrap_or(&Savings::default());
            change(&mut step);
            steps.push(step);
        };
        next(&|step| step.notes_below = true);
        next(&|step| (step.short_ids, step.least_text) = (true, 20));
        next(&|step| (step.time_cut, step.least_text) = (3, 12)); // ":00"
        for _ in 0..spares {
            next(&|step| step.spares_dropped += 1);
        }
        next(&|step| step.time_cut = 9); // " 00:00:00"
        next(&|step| step.no_times = true);
        let mut layout = Self {
            columns: columns.to_vec(),
            widths: Vec::new(),
            id_length,
            width,
        };
        for step in steps {
            layout.widths = widths(columns, &natural, id_length, step);
            if layout.squeeze(step.least_text) {
                return layout;
            }
        }
        layout.squeeze(1);
        layout
    }

    /// Shortens texts, the widest first, until the table fits, but not below `least`. Returns whether it does.
    fn squeeze(&mut self, least: usize) -> bool {
        loop {
            let shown = self.widths.iter().flatten().count();
            let total = self.widths.iter().flatten().sum::<usize>() + shown.saturating_sub(1) * GAP;
            let Width::Columns(most) = self.width else {
                return true;
            };
            let Some(excess) = total.checked_sub(most).filter(|excess| *excess > 0) else {
                return true;
            };
            let texts = self.columns.iter().zip(&mut self.widths);
            let texts = texts.filter_map(|(column, width)| match column {
                Text(_) => width.as_mut(),
                _ => None,
            });
            let mut texts: Vec<_> = texts.filter(|width| **width > least).collect();
            texts.sort_by_key(|width| std::cmp::Reverse(**width));
            let next = texts.get(1).map_or(least, |width| **width);
            let Some(widest) = texts.first_mut() else {
                return false;
            };
            let keep = next.max(least).min(**widest - 1);
            **widest = (**widest).saturating_sub(excess).max(keep);
        }
    }

    /// The line of titles.
    #[must_use]
    pub fn header(&self) -> String {
        let titles = self.columns.iter().zip(&self.widths);
        let titles = titles.map(|(column, width)| {
            let title = column.title();
            let fits = width.is_none_or(|width| columns(title) <= width);
            // A column of dates is narrower than "STARTED (UTC)".
            match title.split_once(" (") {
                Some((short, _)) if !fits => short.to_owned(),
                _ => title.to_owned(),
            }
        });
        self.line(&titles.collect::<Vec<_>>())
    }

    /// The lines of an escaped row.
    #[must_use]
    pub fn row(&self, cells: &[String]) -> String {
        let mut text = self.line(cells);
        let Width::Columns(most) = self.width else {
            return text;
        };
        for ((column, width), cell) in self.columns.iter().zip(&self.widths).zip(cells) {
            if let (Note(_), None) = (column, width)
                && !cell.is_empty()
            {
                let room = most.saturating_sub(GAP);
                for line in lines(cell, room, room) {
                    text.extend(["  ", &line, "\n"]);
                }
            }
        }
        text
    }

    fn line(&self, cells: &[String]) -> String {
        let mut line = String::new();
        let shown = self.columns.iter().zip(&self.widths).zip(cells);
        for ((column, width), cell) in shown {
            let Some(width) = *width else { continue };
            let cell = match (column, self.width) {
                (_, Width::Full) => cell.clone(),
                (Id(_), _) if width < 36 && is_id(cell) => cell[..self.id_length].to_owned(),
                (Time(_), _) if cell.is_ascii() && cell.len() == 19 => {
                    cell[..time_length(width)].to_owned()
                }
                _ => cut(cell, width),
            };
            let padding = " ".repeat(width.saturating_sub(columns(&cell)));
            match column {
                Right(_) | Spare(_) => line.extend([padding.as_str(), &cell]),
                _ => line.extend([cell.as_str(), &padding]),
            }
            line.push_str("  ");
        }
        let line = line.trim_end();
        match self.width {
            Width::Columns(most) => cut(line, most) + "\n",
            Width::Full => format!("{line}\n"),
        }
    }
}

/// The widths of the columns with some savings.
fn widths(
    columns: &[Column],
    natural: &[usize],
    id_length: usize,
    savings: Savings,
) -> Vec<Option<usize>> {
    let mut spares = 0;
    let shown = columns.iter().zip(natural).map(|(column, natural)| {
        let title = self::columns(column.title());
        match column {
            Note(_) if savings.notes_below => None,
            Id(_) if savings.short_ids => Some(id_length.max(title).min(*natural)),
            Rare(_) if *natural == 0 => None,
            Time(_) if savings.no_times => None,
            Time(_) if savings.time_cut > 3 => Some(10.min(*natural)),
            Time(_) => Some((19 - savings.time_cut).max(title).min(*natural)),
            Spare(_) => {
                spares += 1;
                (spares > savings.spares_dropped).then_some(*natural)
            }
            _ => Some(*natural),
        }
    });
    shown.collect()
}

fn natural<Row: AsRef<[String]>>(columns: &[Column], rows: &[Row]) -> Vec<usize> {
    let mut widths: Vec<_> = columns
        .iter()
        .map(|column| self::columns(column.title()))
        .collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row.as_ref()) {
            *width = (*width).max(self::columns(cell));
        }
    }
    let numbered = columns.iter().zip(&mut widths).enumerate();
    for (at, (_, width)) in numbered.filter(|(_, (column, _))| matches!(column, Rare(_))) {
        let empty = |row: &Row| row.as_ref().get(at).is_none_or(String::is_empty);
        if rows.iter().all(empty) {
            *width = 0;
        }
    }
    widths
}

/// How many characters of the ids distinguish them.
fn id_length<Row: AsRef<[String]>>(columns: &[Column], rows: &[Row]) -> usize {
    let cells = rows.iter().flat_map(|row| columns.iter().zip(row.as_ref()));
    let ids: HashSet<&str> = cells
        .filter(|(column, cell)| matches!(column, Id(_)) && is_id(cell))
        .map(|(_, cell)| cell.as_str())
        .collect();
    let apart = |length: &&usize| {
        let short: HashSet<&str> = ids.iter().map(|id| &id[..**length]).collect();
        short.len() == ids.len()
    };
    ID_LENGTHS.iter().find(apart).copied().unwrap_or(36)
}

/// How much of a time is printed in a column: to the second, the minute or the day.
fn time_length(width: usize) -> usize {
    [19, 16]
        .into_iter()
        .find(|length| *length <= width)
        .unwrap_or(10)
}

fn is_id(cell: &str) -> bool {
    cell.len() == 36 && cell.is_ascii()
}

#[cfg(test)]
mod tests;
