//! A million recordings without holding them in memory: each object is computed from its number.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::media::{Generated, Media};
use crate::model::{Recording, Reported, Session, Status};

/// Completed sessions in bulk, each with as many completed recordings.
#[derive(Debug, Clone, Copy)]
pub struct BulkSpec {
    /// Number of sessions.
    pub sessions: u64,
    /// Number of recordings of each session.
    pub recordings_per_session: u32,
    /// Start of the first session.
    pub start: DateTime<Utc>,
    /// From the start of one session to the start of the next.
    pub step: Duration,
    /// The sessions alternate between so many rooms, `bulk-0`, `bulk-1`, …
    pub rooms: u64,
    /// Size of each recording in bytes.
    pub media_size: u64,
    /// Duration of each recording in seconds.
    pub duration: u32,
}

impl BulkSpec {
    /// Small recordings, a session every ten minutes from `start` on.
    #[must_use]
    pub fn new(sessions: u64, recordings_per_session: u32, start: DateTime<Utc>) -> Self {
        Self {
            sessions,
            recordings_per_session,
            start,
            step: Duration::from_mins(10),
            rooms: 100,
            media_size: 4096,
            duration: 60,
        }
    }
}

/// The first bits of the ids of computed objects; the bulk's number, the kind and the object's number follow.
const TAG: u32 = 0xb01c_0000;
/// The bits of an id that hold the object's number, times `SCATTER`. `GATHER` is the inverse of `SCATTER`
/// modulo 2^62, so that the number can be read back from an id.
const NUMBER: u64 = (1 << 62) - 1;
const SCATTER: u64 = 0x9e37_79b9_7f4a_7c15;
const GATHER: u64 = 0xf1de_83e1_9937_733d;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Bulk {
    spec: BulkSpec,
    number: u16,
}

impl Bulk {
    pub(crate) fn new(spec: BulkSpec, number: u16) -> Self {
        Self { spec, number }
    }

    pub(crate) fn sessions(&self) -> u64 {
        self.spec.sessions
    }

    pub(crate) fn per_session(&self) -> u64 {
        self.spec.recordings_per_session.into()
    }

    pub(crate) fn recordings(&self) -> u64 {
        self.sessions() * self.per_session()
    }

    /// Neighbours in a list are far apart in an index of ids, as with SignalWire's random ids.
    fn id(&self, kind: u16, index: u64) -> Uuid {
        let scattered = index.wrapping_mul(SCATTER) & NUMBER;
        let tail = (0x8000_0000_0000_0000 | scattered).to_be_bytes();
        Uuid::from_fields(TAG | u32::from(self.number), kind, 0x4000, &tail)
    }

    /// The number of the object of this kind that has this id.
    fn index(&self, kind: u16, id: Uuid) -> Option<u64> {
        let (tag, id_kind, _, tail) = id.as_fields();
        let index = u64::from_be_bytes(*tail).wrapping_mul(GATHER) & NUMBER;
        let ours = tag == (TAG | u32::from(self.number)) && id_kind == kind;
        (ours && self.id(kind, index) == id).then_some(index)
    }

    pub(crate) fn session_index(&self, id: Uuid) -> Option<u64> {
        self.index(1, id).filter(|index| *index < self.sessions())
    }

    pub(crate) fn recording_index(&self, id: Uuid) -> Option<u64> {
        self.index(2, id).filter(|index| *index < self.recordings())
    }

    fn start(&self, index: u64) -> DateTime<Utc> {
        let seconds = self.spec.step.as_secs().saturating_mul(index);
        self.spec.start + TimeDelta::seconds(seconds.cast_signed())
    }

    pub(crate) fn session(&self, index: u64) -> Session {
        let start = self.start(index);
        let lasts = TimeDelta::seconds(i64::from(self.spec.duration) * 2);
        Session {
            id: self.id(1, index),
            room: format!("bulk-{}", index % self.spec.rooms.max(1)),
            status: Status::Completed,
            start_time: start,
            end_time: Some(start + lasts),
            created_at: start,
            updated_at: start + lasts,
        }
    }

    pub(crate) fn recording(&self, index: u64) -> Recording {
        let session = index / self.per_session().max(1);
        let start = self.start(session);
        Recording {
            id: self.id(2, index),
            session_id: self.id(1, session),
            status: Status::Completed,
            media: Media::generated(Generated {
                size: self.spec.media_size,
                duration_s: self.spec.duration.into(),
                seed: index,
            }),
            reported_size: Reported::True,
            duration: self.spec.duration,
            started_at: start,
            created_at: start,
            updated_at: start + TimeDelta::seconds(self.spec.duration.into()),
        }
    }
}
