//! Whether a sweep can have seen everything: if lists suddenly lack much of what is known, the lists are
//! probably wrong.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::time;

/// This many may be missing in any list: each is requested before it is marked as gone.
const FEW: u64 = 5;
/// Above that, at most one in this many. A fifth is more than a weekly clean-up of a month's recordings
/// removes, and less than what a list cut in half lacks.
const PART: u64 = 5;
/// Lists that have lacked as much for this long are believed: much was deleted. Each missing object is still
/// requested.
const BELIEVED_AFTER: TimeDelta = TimeDelta::days(3);

/// How many objects the walks of a sweep did not see, and since when that has been so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shortfall {
    pub since: DateTime<Utc>,
    pub recordings: u64,
    pub sessions: u64,
}

/// How many of the known objects a sweep saw, and how many it did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    pub seen: u64,
    pub unseen: u64,
}

impl View {
    /// More is missing than is plausible.
    pub(super) fn is_short(self) -> bool {
        self.unseen > self.tolerated()
    }

    /// All known objects are missing: they were deleted, or the list is wrongly empty.
    pub(super) fn is_empty(self) -> bool {
        self.seen == 0 && self.unseen > 0
    }

    fn tolerated(self) -> u64 {
        FEW.max((self.seen + self.unseen) / PART)
    }

    /// About as much is missing as `before`.
    fn is_similar(self, before: u64) -> bool {
        self.unseen <= before.saturating_add(self.tolerated())
    }
}

impl Shortfall {
    /// The shortfall of these views; it continues the stored one, `before`, if it is similar.
    pub(super) fn of(
        recordings: View,
        sessions: View,
        before: Option<Self>,
        now: DateTime<Utc>,
    ) -> Self {
        before
            .filter(|before| {
                recordings.is_similar(before.recordings)
                    && sessions.is_similar(before.sessions)
                    && before.since <= now
            })
            .unwrap_or(Self {
                since: now,
                recordings: recordings.unseen,
                sessions: sessions.unseen,
            })
    }

    /// From when on it is believed.
    pub(super) fn believed_from(self) -> DateTime<Utc> {
        self.since + BELIEVED_AFTER
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = time::to_text(self.since);
        write!(f, "{since} {} {}", self.recordings, self.sessions)
    }
}

impl FromStr for Shortfall {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split(' ');
        let mut word = || words.next().ok_or(());
        Ok(Self {
            since: time::parse(word()?).ok_or(())?,
            recordings: word()?.parse().map_err(drop)?,
            sessions: word()?.parse().map_err(drop)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: View = View {
        seen: 100,
        unseen: 0,
    };

    fn view(seen: u64, unseen: u64) -> View {
        View { seen, unseen }
    }

    #[test]
    fn half_of_what_is_known_is_too_little_to_be_believed() {
        for (seen, unseen, short) in [
            (0, 0, false),
            (100, 0, false),
            (0, 5, false),
            (0, 6, true),
            (2, 1, false),
            (5, 5, false),
            (6, 6, true),
            (50, 50, true),
            (80, 20, false),
            (79, 21, true),
            (1_000_000, 250_000, false),
            (1_000_000, 250_001, true),
        ] {
            assert_eq!(view(seen, unseen).is_short(), short, "{seen} {unseen}");
        }
    }

    #[test]
    fn the_same_small_view_goes_on_and_a_smaller_one_begins_again() {
        let first = DateTime::UNIX_EPOCH;
        let now = first + TimeDelta::days(2);
        let before = Shortfall::of(view(50, 50), ALL, None, first);
        assert_eq!(before.to_string().parse(), Ok(before));
        for (recordings, sessions, since) in [
            (view(50, 50), ALL, first),
            (view(40, 60), ALL, first),
            (view(90, 30), ALL, first),
            (view(20, 80), ALL, now),
            (view(50, 50), view(0, 100), now),
        ] {
            let shortfall = Shortfall::of(recordings, sessions, Some(before), now);
            assert_eq!(shortfall.since, since, "{recordings:?} {sessions:?}");
        }
        // A clock that was set back.
        let shortfall = Shortfall::of(view(50, 50), ALL, Some(before), first - TimeDelta::days(1));
        assert_eq!(shortfall.since, first - TimeDelta::days(1));
    }
}
