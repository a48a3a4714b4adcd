//! One page of a list, without building the list: extra rows, then held ones, then computed ones
//! (the other way round when the oldest come first).

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{Extra, List, World};
use crate::bulk::Bulk;
use crate::model::{Recording, Session};
use crate::space::Order;

/// What `/room_sessions` is asked for.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub room_id: Option<String>,
    pub room_name: Option<String>,
    pub room_name_matches: Option<String>,
    pub status: Option<String>,
}

impl Filter {
    fn is_empty(&self) -> bool {
        let asked = [&self.room_id, &self.room_name, &self.room_name_matches];
        self.status.is_none() && asked.iter().all(|part| part.is_none())
    }

    fn takes(&self, session: &Session) -> bool {
        let room_id = session.room_id.map(|id| id.to_string());
        let room = &session.room;
        self.room_id
            .as_ref()
            .is_none_or(|id| room_id.as_ref() == Some(id))
            && self.room_name.as_ref().is_none_or(|name| room == name)
            && self
                .room_name_matches
                .as_ref()
                .is_none_or(|part| room.contains(part))
            && self
                .status
                .as_ref()
                .is_none_or(|word| session.status == *word)
    }
}

/// A row of a list before it is written as JSON.
#[derive(Debug)]
pub(crate) enum Row {
    Raw(Value),
    Session(Box<Session>),
    Recording(Box<Recording>),
}

/// Rows that lie together in a list.
enum Segment<'a> {
    Extras(Vec<&'a Extra>),
    Sessions(Vec<&'a Session>),
    Recordings(Vec<&'a Recording>),
    /// Numbers of a bulk's sessions, reckoned by position.
    BulkSessions(&'a Bulk, Numbers),
    BulkRecordings(&'a Bulk, Numbers),
}

/// Numbers of computed objects in the order of a list.
enum Numbers {
    Range {
        first: u64,
        count: u64,
        order: Order,
    },
    Picked(Vec<u64>),
}

impl Numbers {
    fn len(&self) -> u64 {
        match self {
            Self::Range { count, .. } => *count,
            Self::Picked(numbers) => numbers.len() as u64,
        }
    }

    fn at(&self, position: u64) -> u64 {
        match self {
            Self::Range {
                first,
                count,
                order,
            } => first + order.of(position, *count),
            Self::Picked(numbers) => numbers[usize::try_from(position).unwrap_or_default()],
        }
    }
}

impl Order {
    /// Which of `count` rows, numbered by age, stands at this position.
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
        filter: &Filter,
        order: Order,
        offset: u64,
        limit: u64,
    ) -> (Vec<Row>, bool) {
        let segments = self.segments(list, filter, order);
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

    fn segments(&self, list: List, filter: &Filter, order: Order) -> Vec<Segment<'_>> {
        let extras = self.extras.iter().filter(|(on, _)| *on == list);
        let extras = extras.map(|(_, extra)| extra).collect();
        let mut segments = vec![Segment::Extras(extras)];
        match list {
            List::Sessions => {
                let mut rows: Vec<_> = self.sessions.values().collect();
                rows.retain(|session| filter.takes(session));
                order.sort(&mut rows, |row| (row.created_at, row.id));
                segments.push(Segment::Sessions(rows));
                for bulk in self.bulks.iter().rev() {
                    segments.push(Segment::BulkSessions(bulk, picked(bulk, filter, order)));
                }
            }
            List::Recordings => {
                let mut rows: Vec<_> = self.recordings.values().collect();
                order.sort(&mut rows, |row| (row.created_at, row.id));
                segments.push(Segment::Recordings(rows));
                for bulk in self.bulks.iter().rev() {
                    let numbers = range(0, bulk.recordings(), order);
                    segments.push(Segment::BulkRecordings(bulk, numbers));
                }
            }
            List::SessionRecordings(id) => {
                // Of an unknown session nothing is listed.
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
                        let numbers = range(index * per, per, order);
                        segments.push(Segment::BulkRecordings(bulk, numbers));
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

fn range(first: u64, count: u64, order: Order) -> Numbers {
    Numbers::Range {
        first,
        count,
        order,
    }
}

/// The bulk's sessions that the filter takes; they are looked through only if there is a filter.
fn picked(bulk: &Bulk, filter: &Filter, order: Order) -> Numbers {
    let all = range(0, bulk.sessions(), order);
    if filter.is_empty() {
        return all;
    }
    let numbers = (0..bulk.sessions()).map(|position| all.at(position));
    Numbers::Picked(
        numbers
            .filter(|number| filter.takes(&bulk.session(*number)))
            .collect(),
    )
}

impl Segment<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::Extras(rows) => rows.len() as u64,
            Self::Sessions(rows) => rows.len() as u64,
            Self::Recordings(rows) => rows.len() as u64,
            Self::BulkSessions(_, numbers) | Self::BulkRecordings(_, numbers) => numbers.len(),
        }
    }
}
