//! The sessions and recordings of a space, and the changes that tests make to how they are listed and shown.

mod lists;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use crate::bulk::{Bulk, BulkSpec};
use crate::model::{Recording, Session};

pub(crate) use lists::Row;

/// A change to the JSON that the API shows of an object: null, missing, extra and mistyped fields.
#[derive(Clone)]
pub enum Patch {
    /// Adds or replaces a field.
    Set(String, Value),
    /// Removes a field.
    Remove(String),
    /// Replaces a field by the result for its value; for `uri`, that is a fresh link.
    Map(String, Arc<dyn Fn(&Value) -> Value + Send + Sync>),
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

    /// Removes a field.
    #[must_use]
    pub fn remove(field: &str) -> Self {
        Self::Remove(field.to_owned())
    }

    /// Replaces a field by the result of `change` for its value.
    pub fn map(field: &str, change: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Self {
        Self::Map(field.to_owned(), Arc::new(change))
    }

    fn apply(&self, object: &mut Value) {
        match self {
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
        }
    }
}

/// A list of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// `/room_sessions`
    Sessions,
    /// `/room_recordings`
    Recordings,
    /// `/room_sessions/{id}/recordings`
    SessionRecordings(Uuid),
}

/// A row that a list shows in addition to its own.
#[derive(Debug, Clone)]
enum Extra {
    /// This JSON.
    Raw(Value),
    /// This recording, shown as if it belonged to the session `by`.
    Claimed { recording: Uuid, by: Uuid },
}

#[derive(Debug, Default)]
pub(crate) struct World {
    next: u64,
    /// By number, which is the order in which they were added.
    sessions: BTreeMap<u64, Session>,
    recordings: BTreeMap<u64, Recording>,
    /// The numbers of sessions and recordings.
    numbers: HashMap<Uuid, u64>,
    /// The numbers of the recordings of each session.
    of_session: HashMap<Uuid, Vec<u64>>,
    bulks: Vec<Bulk>,
    /// Computed objects can't be removed from anywhere; the deleted ones are left out.
    gone: HashSet<Uuid>,
    patches: HashMap<Uuid, Vec<Patch>>,
    extras: Vec<(List, Extra)>,
}

impl World {
    fn number(&mut self, id: Uuid) -> u64 {
        self.next += 1;
        self.numbers.insert(id, self.next);
        self.next
    }

    pub(crate) fn add_session(&mut self, session: Session) {
        let number = self.number(session.id);
        self.sessions.insert(number, session);
    }

    pub(crate) fn add_recording(&mut self, recording: Recording) {
        let number = self.number(recording.id);
        let siblings = self.of_session.entry(recording.session_id).or_default();
        siblings.push(number);
        self.recordings.insert(number, recording);
    }

    pub(crate) fn add_bulk(&mut self, spec: BulkSpec) {
        let number = u16::try_from(self.bulks.len()).unwrap_or(u16::MAX);
        self.bulks.push(Bulk::new(spec, number));
    }

    pub(crate) fn session(&self, id: Uuid) -> Option<Session> {
        if let Some(session) = self.numbers.get(&id).and_then(|at| self.sessions.get(at)) {
            return Some(session.clone());
        }
        let mut bulks = self.bulks.iter().filter(|_| !self.gone.contains(&id));
        bulks.find_map(|bulk| Some(bulk.session(bulk.session_index(id)?)))
    }

    pub(crate) fn recording(&self, id: Uuid) -> Option<Recording> {
        if let Some(recording) = self.numbers.get(&id).and_then(|at| self.recordings.get(at)) {
            return Some(recording.clone());
        }
        let mut bulks = self.bulks.iter().filter(|_| !self.gone.contains(&id));
        bulks.find_map(|bulk| Some(bulk.recording(bulk.recording_index(id)?)))
    }

    pub(crate) fn session_mut(&mut self, id: Uuid) -> Option<&mut Session> {
        self.sessions.get_mut(self.numbers.get(&id)?)
    }

    pub(crate) fn recording_mut(&mut self, id: Uuid) -> Option<&mut Recording> {
        self.recordings.get_mut(self.numbers.get(&id)?)
    }

    pub(crate) fn delete_session(&mut self, id: Uuid) -> bool {
        let there = self.session(id).is_some();
        match self.numbers.get(&id) {
            Some(at) => drop(self.sessions.remove(at)),
            None => drop(self.gone.insert(id)),
        }
        there
    }

    pub(crate) fn delete_recording(&mut self, id: Uuid) -> bool {
        let there = self.recording(id).is_some();
        match self.numbers.get(&id) {
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
