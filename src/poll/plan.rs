//! Decides what to do about a listed recording: a pure function of the listing and the database row.

use std::time::Duration;

use chrono::{DateTime, Utc};
use globset::GlobSet;

use crate::model::{Change, Known, Recording, Room, State, UpstreamStatus};

#[cfg(test)]
mod tests;

/// The kind of a pass that lists recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Lists new sessions, and the recordings of those that are due.
    Poll,
    /// Lists everything.
    Sweep,
}

/// Which recordings are archived.
#[derive(Debug, Clone)]
pub struct RoomFilter {
    include: GlobSet,
    exclude: GlobSet,
    since: Option<DateTime<Utc>>,
    min_duration: Duration,
}

impl RoomFilter {
    /// Rooms whose name matches one of `include` and none of `exclude`; recordings that started at
    /// `since` or later and last `min_duration` or longer.
    #[must_use]
    pub fn new(
        include: GlobSet,
        exclude: GlobSet,
        since: Option<DateTime<Utc>>,
        min_duration: Duration,
    ) -> Self {
        Self {
            include,
            exclude,
            since,
            min_duration,
        }
    }

    /// Why a recording is left out; `None`: it is archived. An unknown value (`None`) leaves nothing out; a
    /// room without a name has the empty name.
    #[must_use]
    pub fn leaves_out(
        &self,
        room: Option<&str>,
        started_at: Option<DateTime<Utc>>,
        duration_seconds: Option<f64>,
    ) -> Option<&'static str> {
        if room.is_some_and(|name| !self.include.is_match(name)) {
            Some("the room matches none of filter.include_rooms")
        } else if room.is_some_and(|name| self.exclude.is_match(name)) {
            Some("the room matches filter.exclude_rooms")
        } else if started_at
            .zip(self.since)
            .is_some_and(|(started, since)| started < since)
        {
            Some("it started before filter.since")
        } else if duration_seconds.is_some_and(|seconds| seconds < self.min_duration.as_secs_f64())
        {
            Some("it is shorter than filter.min_duration")
        } else {
            None
        }
    }
}

/// Where a recording that is not on the disk belongs: waiting, skipped or pending.
///
/// It waits while its session has not been requested: filter and path need the room's name.
#[must_use]
pub fn position(
    filter: &RoomFilter,
    room: &Room,
    status: &UpstreamStatus,
    started_at: Option<DateTime<Utc>>,
    duration_seconds: Option<f64>,
) -> (State, Option<&'static str>) {
    let completed = *status == UpstreamStatus::Completed;
    let name = match room {
        Room::Known(name) => Some(name.as_deref().unwrap_or_default()),
        Room::Unknown => None,
        Room::Awaited => return (State::Waiting, None),
    };
    // A recording that is not completed may still become long enough.
    let duration = duration_seconds.filter(|_| completed);
    match filter.leaves_out(name, started_at, duration) {
        Some(reason) => (State::Skipped, Some(reason)),
        None if completed => (State::Pending, None),
        None => (State::Waiting, None),
    }
}

/// Whether the answer for a single object is older than the lists, which showed the recording as completed:
/// it is ignored.
#[must_use]
pub fn lags(single: &Recording, known: Option<&Known>) -> bool {
    single.status != UpstreamStatus::Completed
        && known.is_some_and(|known| known.state == State::Pending && !known.gone)
}

/// Decides about a listed recording; `None`: nothing changes.
#[must_use]
pub fn plan(
    filter: &RoomFilter,
    listed: &Recording,
    known: Option<&Known>,
    room: &Room,
) -> Option<Change> {
    let (state, skip_reason) = position(
        filter,
        room,
        &listed.status,
        listed.started_at,
        listed.duration_seconds,
    );
    let fresh = Change {
        state,
        skip_reason,
        changed_after_archiving: false,
        other_session: false,
        another_chance: false,
    };
    let Some(known) = known else {
        return Some(fresh);
    };
    let content_changed =
        known.size_bytes != listed.size_bytes || known.updated_at != listed.updated_at;
    let other_session = listed
        .session_id
        .is_some_and(|session| known.session_id.is_some_and(|first| first != session));
    let another_chance = match known.state {
        State::Lost => true,
        // It was gone when its damaged file should have been downloaded again.
        State::Damaged => known.gone,
        _ => false,
    };
    let change = match known.state {
        State::Waiting | State::Skipped | State::Pending => fresh,
        State::Lost if another_chance && !known.damaged => fresh,
        state => Change {
            state,
            skip_reason: None,
            ..fresh
        },
    };
    let change = Change {
        changed_after_archiving: known.state == State::Archived && content_changed,
        other_session,
        another_chance,
        ..change
    };
    let same = change.state == known.state
        && known.upstream == listed.upstream
        && !known.gone
        && !other_session
        && !another_chance;
    (!same).then_some(change)
}
