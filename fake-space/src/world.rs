//! What there is in the space: sessions, recordings, their patches, and the order lists show them in.

mod lists;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use crate::bulk::{Bulk, BulkSpec};
use crate::model::{Recording, Session};

pub(crate) use lists::{Filter, Row};

/// A change to an object as the API shows it: nulls, missing, extra and mistyped fields.
#[derive(Clone)]
pub enum Patch {
    /// Adds or replaces a field.
    Set(String, Value),
    /// Takes a field out.
    Remove(String),
    /// Replaces a field by what this makes of it; for a `uri`, of the link just minted.
    Map(String, Arc<dyn Fn(&Value) -> Value + Send + Sync>),
    /// Shows another value instead of the whole object.
    Whole(Value),
}

impl Patch {
    /// Adds or replaces a field.
    pub fn set(field: &str, value: impl Into<Value>) -> Self {
        Self::Set(field.to_owned(), value.into())
    }

    /// Sets a field to null.
    #[must_use]
    pub fn null(field: &str) -> Self {
        Self::set(field, Value::Null)
    }

    /// Takes a field out.
    #[must_use]
    pub fn remove(field: &str) -> Self {
        Self::Remove(field.to_owned())
    }

    /// Replaces a field by what `change` makes of it.
    pub fn map(field: &str, change: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Self {
        Self::Map(field.to_owned(), Arc::new(change))
    }

    fn apply(&self, object: &mut Value) {
        match self {
            Self::Whole(value) => *object = value.clone(),
            Self::Set(field, value) => {
                if let Some(fields) = object.as_object_mut() {
                    fields.insert(field.clone(), value.clone());
                }
            }
            Self::Remove(field) => {
                if let Some(fields) = object.as_object_mut() {
                    fields.remove(field);
                }
            }
            Self::Map(field, change) => {
                if let Some(old) = object.get_mut(field) {
                    *old = change(old);
                }
            }
        }
    }
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(field, value) => write!(f, "Set({field}, {value})"),
            Self::Remove(field) => write!(f, "Remove({field})"),
            Self::Map(field, _) => write!(f, "Map({field})"),
            Self::Whole(value) => write!(f, "Whole({value})"),
        }
    }
}

/// One of the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// `/room_sessions`
    Sessions,
    /// `/room_recordings`
    Recordings,
    /// `/room_sessions/{id}/recordings`
    SessionRecordings(Uuid),
}

/// A row that a list shows beside the true ones.
#[derive(Debug, Clone)]
enum Extra {
    /// This JSON.
    Raw(Value),
    /// This recording, said to belong to another session.
    Claimed { recording: Uuid, by: Uuid },
}

#[derive(Debug, Default)]
pub(crate) struct World {
    next: u64,
    sessions: BTreeMap<u64, Session>,
    recordings: BTreeMap<u64, Recording>,
    /// Where a session or a recording is held.
    held: HashMap<Uuid, u64>,
    of_session: HashMap<Uuid, Vec<u64>>,
    bulks: Vec<Bulk>,
    /// Computed objects that were deleted.
    gone: HashSet<Uuid>,
    patches: HashMap<Uuid, Vec<Patch>>,
    extras: Vec<(List, Extra)>,
}

impl World {
    fn hold(&mut self, id: Uuid) -> u64 {
        self.next += 1;
        self.held.insert(id, self.next);
        self.next
    }

    pub(crate) fn add_session(&mut self, session: Session) {
        let at = self.hold(session.id);
        self.sessions.insert(at, session);
    }

    pub(crate) fn add_recording(&mut self, recording: Recording) {
        let at = self.hold(recording.id);
        let siblings = self.of_session.entry(recording.session_id).or_default();
        siblings.push(at);
        self.recordings.insert(at, recording);
    }

    /// The number of the bulk's first recording is in its ids.
    pub(crate) fn add_bulk(&mut self, spec: BulkSpec) {
        let number = u16::try_from(self.bulks.len()).unwrap_or(u16::MAX);
        self.bulks.push(Bulk::new(spec, number));
    }

    pub(crate) fn session(&self, id: Uuid) -> Option<Session> {
        if let Some(session) = self.held.get(&id).and_then(|at| self.sessions.get(at)) {
            return Some(session.clone());
        }
        let mut bulks = self.bulks.iter().filter(|_| !self.gone.contains(&id));
        bulks.find_map(|bulk| Some(bulk.session(bulk.session_index(id)?)))
    }

    pub(crate) fn recording(&self, id: Uuid) -> Option<Recording> {
        if let Some(recording) = self.held.get(&id).and_then(|at| self.recordings.get(at)) {
            return Some(recording.clone());
        }
        let mut bulks = self.bulks.iter().filter(|_| !self.gone.contains(&id));
        bulks.find_map(|bulk| Some(bulk.recording(bulk.recording_index(id)?)))
    }

    pub(crate) fn session_mut(&mut self, id: Uuid) -> Option<&mut Session> {
        self.sessions.get_mut(self.held.get(&id)?)
    }

    pub(crate) fn recording_mut(&mut self, id: Uuid) -> Option<&mut Recording> {
        self.recordings.get_mut(self.held.get(&id)?)
    }

    pub(crate) fn delete_session(&mut self, id: Uuid) -> bool {
        let there = self.session(id).is_some();
        match self.held.get(&id) {
            Some(at) => drop(self.sessions.remove(at)),
            None => drop(self.gone.insert(id)),
        }
        there
    }

    pub(crate) fn delete_recording(&mut self, id: Uuid) -> bool {
        let there = self.recording(id).is_some();
        match self.held.get(&id) {
            Some(at) => drop(self.recordings.remove(at)),
            None => drop(self.gone.insert(id)),
        }
        there
    }

    pub(crate) fn patch(&mut self, id: Uuid, patch: Patch) {
        self.patches.entry(id).or_default().push(patch);
    }

    pub(crate) fn unpatch(&mut self, id: Uuid) {
        self.patches.remove(&id);
    }

    /// The object with its patches.
    pub(crate) fn patched(&self, id: Uuid, mut object: Value) -> Value {
        for patch in self.patches.get(&id).into_iter().flatten() {
            patch.apply(&mut object);
        }
        object
    }

    pub(crate) fn add_raw(&mut self, list: List, item: Value) {
        self.extras.push((list, Extra::Raw(item)));
    }

    pub(crate) fn claim(&mut self, recording: Uuid, by: Uuid) {
        let list = List::SessionRecordings(by);
        self.extras.push((list, Extra::Claimed { recording, by }));
    }

    pub(crate) fn clear_extras(&mut self) {
        self.extras.clear();
    }
}
