//! When passes are due: cron schedules, and their ticks.
//!
//! A tick starts nothing itself: ticks that nobody has taken yet are one tick, so a pass
//! longer than its period never overlaps with the next.

mod scheduler;
mod spread;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use scheduler::{Each, Scheduler, Ticks};

/// A cron schedule of six fields (second, minute, hour, day, month, weekday), in UTC.
///
/// UTC because a zone's clock skips and repeats hours. Where both day and weekday are
/// given, both must fit (as tokio-cron-scheduler has it, unlike crontab).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schedule {
    text: String,
    cron: Cron,
    /// How much later each slot is than the text says.
    offset: TimeDelta,
}

/// Why a text is not a schedule.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ScheduleError {
    /// Five fields (no seconds), seven (a year), a nickname such as `@daily`.
    #[error(
        "expected six fields (second minute hour day month weekday), such as \"0 */5 * * * *\", found {0}"
    )]
    Fields(usize),
    /// A field is malformed or out of its range.
    #[error(
        "not a cron schedule; the six fields are second minute hour day month weekday, such as \"0 */5 * * * *\""
    )]
    Invalid,
    /// It fits no date, as the 30th of February.
    #[error("the schedule never fires; is there such a day in that month")]
    NeverFires,
}

impl Schedule {
    /// The first slot after `time`; `None` only after the year 5000.
    #[must_use]
    pub fn next_after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // croner carries fractions of a second along: a slot would come late by them.
        let time = time.trunc_subsecs(0) - self.offset;
        let slot = self.cron.find_next_occurrence(&time, false).ok()?;
        Some(slot + self.offset)
    }
}

/// Whether a slot of `schedule` lies after `last` and not after `now`.
#[must_use]
pub fn slot_passed(schedule: &Schedule, last: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    schedule.next_after(last).is_some_and(|slot| slot <= now)
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let fields = text.split_whitespace().count();
        if fields != 6 {
            return Err(ScheduleError::Fields(fields));
        }
        // The options of tokio-cron-scheduler, which reads the text again.
        let parsed = CronParser::builder()
            .seconds(Seconds::Required)
            .dom_and_dow(true)
            .build()
            .parse(&text);
        let cron = parsed.map_err(|_| ScheduleError::Invalid)?;
        // The calendar repeats itself, weekdays too, every 400 years: where the search
        // begins does not matter.
        let schedule = Self {
            text,
            cron,
            offset: TimeDelta::zero(),
        };
        match schedule.next_after(DateTime::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(ScheduleError::NeverFires),
        }
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.offset == other.offset
    }
}

impl Eq for Schedule {}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Schedule {
    type Error = ScheduleError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.text
    }
}

#[cfg(test)]
mod tests;
