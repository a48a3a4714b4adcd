//! The columns that every table of recordings has, in the same order and with times in the same format.

use super::table::Column::{self, Id, Left, Spare, Text, Time};
use crate::human;
use crate::model::State;
use crate::store::{Failure, Left as LeftOver};

/// Columns of a table of recordings. Others stand before the last or after it.
pub(super) const COLUMNS: [Column; 6] = [
    Id("RECORDING"),
    Time("STARTED (UTC)"),
    Spare("LENGTH"),
    Spare("SIZE"),
    Left("STATE"),
    Text("ROOM"),
];

/// What these columns show.
pub(super) struct Line<'a> {
    pub(super) id: &'a str,
    pub(super) started_at: Option<&'a str>,
    pub(super) duration_seconds: Option<f64>,
    pub(super) size_bytes: Option<u64>,
    pub(super) state: State,
    pub(super) room_name: Option<&'a str>,
}

/// Rows of different queries that have the same columns.
macro_rules! lines {
    ($($row:ty),*) => {$(
        impl<'a> From<&'a $row> for Line<'a> {
            fn from(row: &'a $row) -> Self {
                Self {
                    id: &row.recording_id,
                    started_at: row.started_at.as_deref(),
                    duration_seconds: row.duration_seconds,
                    size_bytes: row.size_bytes,
                    state: row.state,
                    room_name: row.room_name.as_deref(),
                }
            }
        }
    )*};
}

lines!(Failure, LeftOver);

impl Line<'_> {
    pub(super) fn cells(&self) -> [String; 6] {
        [
            self.id.to_owned(),
            self.started_at.map(human::time).unwrap_or_default(),
            self.duration_seconds
                .map(human::seconds)
                .unwrap_or_default(),
            self.size_bytes.map(human::size).unwrap_or_default(),
            self.state.to_string(),
            self.room_name.unwrap_or_default().to_owned(),
        ]
    }
}
