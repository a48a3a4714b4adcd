use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, ValueEnum};
use globset::{GlobBuilder, GlobMatcher};

use crate::config::Since;
use crate::model::State;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  room-archiver list --state lost,damaged
  room-archiver list --room 'team-*' --since 2026-01-01 --format csv > recordings.csv
  room-archiver list --format json | jq -r '.[].recording_id'

In CSV, a text that begins with = + - @ ' or a tab gets an apostrophe in front, so that no spreadsheet takes it
for a formula. Remove one apostrophe to get the text back. JSON is exact.

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

    /// Only recordings that started at or after this date or RFC 3339 time
    #[arg(long, value_name = "DATE")]
    pub since: Option<Since>,

    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
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
