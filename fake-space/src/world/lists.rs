//! One page of a list, without building the list: first extra rows, then added ones, then computed ones
//! (in reverse when the oldest come first).

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{Extra, List, World};
use crate::bulk::Bulk;
use crate::model::{Recording, Session};
use crate::options::Order;

/// A row of a list before it is written as JSON.
#[derive(Debug)]
pub(crate) enum Row {
    Raw(Value),
    Session(Box<Session>),
    Recording(Box<Recording>),
}

/// Consecutive rows of a list.
enum Segment<'a> {
    Extras(Vec<&'a Extra>),
    Sessions(Vec<&'a Session>),
    Recordings(Vec<&'a Recording>),
    BulkSessions(&'a Bulk, Numbers),
    BulkRecordings(&'a Bulk, Numbers),
}

/// Numbers of computed objects in the order of a list.
struct Numbers {
    first: u64,
    count: u64,
    order: Order,
}

impl Numbers {
    fn at(&self, position: u64) -> u64 {
        self.first + self.order.of(position, self.count)
    }
}

impl Order {
    /// Which of `count` rows, numbered by age, is at this position.
    fn of(self, position: u64, count: u64) -> u64 {
        match self {
            Self::OldestFirst => position,
            Self::NewestFirst => count - 1 - position,
            // A large prime that does not divide `count` makes this a permutation.
            Self::Shuffled(seed) => {
                let prime: u128 = [2_147_483_647, 4_294_967_291]
                    [usize::from(count.is_multiple_of(2_147_483_647))];
                let spread = u128::from(position) * prime + u128::from(seed);
                u64::try_from(spread % u128::from(count)).unwrap_or_default()
            }
        }
    }

    fn sort<T>(self, rows: &mut [T], key: impl Fn(&T) -> (DateTime<Utc>, Uuid)) {
        match self {
            // Stable, and the rows come in the order they were added.
            Self::OldestFirst => rows.sort_by_key(|row| key(row).0),
            Self::NewestFirst => {
                rows.reverse();
                rows.sort_by_key(|row| std::cmp::Reverse(key(row).0));
            }
            Self::Shuffled(seed) => rows.sort_by_cached_key(|row| {
                let mut hasher = DefaultHasher::new();
                (seed, key(row).1).hash(&mut hasher);
                hasher.finish()
            }),
        }
    }
}

impl World {
    /// The rows of the list from `offset` on, at most `limit`, and whether more follow.
    pub(crate) fn page(
        &self,
        list: List,
        order: Order,
        offset: u64,
        limit: u64,
    ) -> (Vec<Row>, bool) {
        let segments = self.segments(list, order);
        let total: u64 = segments.iter().map(Segment::len).sum();
        let end = total.min(offset.saturating_add(limit));
        let mut rows = Vec::new();
        let mut start = 0;
        for segment in &segments {
            let next = start + segment.len();
            for position in offset.max(start)..end.min(next) {
                rows.extend(self.row(segment, position - start));
            }
            start = next;
        }
        (rows, end < total)
    }

    fn segments(&self, list: List, order: Order) -> Vec<Segment<'_>> {
        let extras = self.extras.iter().filter(|(on, _)| *on == list);
        let extras = extras.map(|(_, extra)| extra).collect();
        let mut segments = vec![Segment::Extras(extras)];
        let numbers = |first, count| Numbers {
            first,
            count,
            order,
        };
        match list {
            List::Sessions => {
                let mut rows: Vec<_> = self.sessions.values().collect();
                order.sort(&mut rows, |row| (row.created_at, row.id));
                segments.push(Segment::Sessions(rows));
                for bulk in self.bulks.iter().rev() {
                    segments.push(Segment::BulkSessions(bulk, numbers(0, bulk.sessions())));
                }
            }
            List::Recordings => {
                let mut rows: Vec<_> = self.recordings.values().collect();
                order.sort(&mut rows, |row| (row.created_at, row.id));
                segments.push(Segment::Recordings(rows));
                for bulk in self.bulks.iter().rev() {
                    segments.push(Segment::BulkRecordings(bulk, numbers(0, bulk.recordings())));
                }
            }
            List::SessionRecordings(id) => {
                // The list of an unknown session is empty.
                let known = self.session(id).is_some();
                let held = self
                    .of_session
                    .get(&id)
                    .filter(|_| known)
                    .into_iter()
                    .flatten();
                let mut rows: Vec<_> = held.filter_map(|at| self.recordings.get(at)).collect();
                order.sort(&mut rows, |row| (row.created_at, row.id));
                segments.push(Segment::Recordings(rows));
                for bulk in &self.bulks {
                    if let Some(index) = bulk.session_index(id).filter(|_| known) {
                        let per = bulk.per_session();
                        segments.push(Segment::BulkRecordings(bulk, numbers(index * per, per)));
                    }
                }
            }
        }
        if order == Order::OldestFirst {
            segments.reverse();
        }
        segments
    }

    fn row(&self, segment: &Segment<'_>, position: u64) -> Option<Row> {
        let at = usize::try_from(position).ok()?;
        match segment {
            Segment::Extras(rows) => match rows.get(at)? {
                Extra::Raw(value) => Some(Row::Raw(value.clone())),
                Extra::Claimed { recording, by } => {
                    let mut recording = self.recording(*recording)?;
                    recording.session_id = *by;
                    Some(Row::Recording(Box::new(recording)))
                }
            },
            Segment::Sessions(rows) => Some(Row::Session(Box::new((*rows.get(at)?).clone()))),
            Segment::Recordings(rows) => Some(Row::Recording(Box::new((*rows.get(at)?).clone()))),
            Segment::BulkSessions(bulk, numbers) => {
                let row = bulk.session(numbers.at(position));
                (!self.gone.contains(&row.id)).then(|| Row::Session(Box::new(row)))
            }
            Segment::BulkRecordings(bulk, numbers) => {
                let row = bulk.recording(numbers.at(position));
                (!self.gone.contains(&row.id)).then(|| Row::Recording(Box::new(row)))
            }
        }
    }
}

impl Segment<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::Extras(rows) => rows.len() as u64,
            Self::Sessions(rows) => rows.len() as u64,
            Self::Recordings(rows) => rows.len() as u64,
            Self::BulkSessions(_, numbers) | Self::BulkRecordings(_, numbers) => numbers.count,
        }
    }
}
