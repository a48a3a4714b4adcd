use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, ValueEnum};
use globset::{GlobBuilder, GlobMatcher};

use super::{IdPrefix, When};
use crate::model::State;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  room-archiver list --state lost,damaged
  room-archiver list --since '2 weeks' --limit 20
  room-archiver list --room 'team-*' --since 2026-01-01 --until 2026-01-31 \\
      --format csv > recordings.csv
  room-archiver list --format json | jq -r '.[].recording_id'

In CSV, a text that begins with = + - @ ' or a tab gets an apostrophe in front, so that no spreadsheet takes it
for a formula. Remove one apostrophe to get the text back. JSON is exact.

A date is a day in UTC. A time can have a zone ('2026-01-31T08:00+01:00'), else it is UTC.
A time before now is written as '2 weeks', '3d' or '1h 30min'.

States:
  waiting      not completed upstream yet     archived  the whole file is on the disk
  skipped      left out by the filter         lost      gone upstream before it was archived
  pending      to be downloaded               damaged   archived, but the file is missing or altered
  downloading  being downloaded now")]
pub struct ListArgs {
    /// Only rooms whose name matches this glob
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    pub room: Option<GlobMatcher>,

    /// Only recordings in these states
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = state())]
    pub state: Vec<State>,

    /// Only recordings of this session: its id, or the first characters
    #[arg(long, value_name = "ID")]
    pub session: Option<IdPrefix>,

    /// Only recordings that started then or later: a date, a time, or how long ago
    #[arg(long, value_name = "WHEN")]
    pub since: Option<When>,

    /// Only recordings that started then or earlier; a date includes its whole day
    #[arg(long, value_name = "WHEN")]
    pub until: Option<When>,

    /// Only so many recordings: those that started last
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,

    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// Print all columns with all values in full, even if they do not fit the terminal
    #[arg(long)]
    pub wide: bool,
}

fn state() -> impl clap::builder::TypedValueParser<Value = State> {
    PossibleValuesParser::new(State::ALL.map(State::as_str)).try_map(|text| text.parse::<State>())
}

/// A glob for room names, as in the configured filter: case-sensitive, and `*` also matches `/`.
fn glob(text: &str) -> Result<GlobMatcher, String> {
    GlobBuilder::new(text)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| error.kind().to_string())
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns
    #[default]
    Table,
    /// One JSON array
    Json,
    /// Comma-separated values with a header
    Csv,
}
