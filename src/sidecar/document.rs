//! What a sidecar says, written from a row and read with suspicion: anyone who can write to the archive or to a bucket
//! can alter it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::archive::paths::{RelativePath, recording_id_in};
use crate::model::{ConcernKind, RecordingId, SessionId, time};
use crate::store::{Described, NotedConcern};

/// No sidecar is longer.
pub const MOST: u64 = 16 << 20;
/// The version of the format.
const VERSION: u32 = 1;

/// Why a file is not a sidecar that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSidecar {
    /// Not JSON, or not of this form.
    #[error("it is not a sidecar of room-archiver")]
    Unreadable,
    /// Of a later release.
    #[error("it was written by a newer release of room-archiver")]
    Newer,
    /// Of another project.
    #[error("it is of another project")]
    OtherProject,
    /// A value that no sidecar has.
    #[error("its {0} can't be right")]
    Value(&'static str),
}

/// A sidecar. What it says was checked as far as that is possible without the file it is about.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Document {
    pub described: Described,
    /// The file's path, as a path that can't leave the archive.
    pub path: RelativePath,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
struct Wire {
    room_archiver_sidecar: u32,
    project_id: String,
    recording_id: String,
    session_id: Option<String>,
    room_name: Option<String>,
    path: String,
    size_bytes: u64,
    sha256: String,
    archived_at: String,
    first_seen_at: String,
    completed_seen_at: Option<String>,
    concerns: Vec<NotedConcern>,
    recording: Map<String, Value>,
    session_ended_at: Option<String>,
    session: Option<Map<String, Value>>,
}

impl Document {
    /// The text of a recording's sidecar.
    ///
    /// # Errors
    /// [`BadSidecar`], if SignalWire's objects in the row can't be read.
    pub fn text(described: &Described, project_id: &str) -> Result<String, BadSidecar> {
        let object = |text: &str| serde_json::from_str(text).map_err(|_| BadSidecar::Unreadable);
        let wire = Wire {
            room_archiver_sidecar: VERSION,
            project_id: project_id.to_owned(),
            recording_id: described.id.to_string(),
            session_id: described.session_id.map(|id| id.to_string()),
            room_name: described.room_name.clone(),
            path: described.path.clone(),
            size_bytes: described.bytes,
            sha256: described.sha256.clone(),
            archived_at: time::to_text(described.archived_at),
            first_seen_at: time::to_text(described.first_seen_at),
            completed_seen_at: described.completed_seen_at.map(time::to_text),
            concerns: described.concerns.clone(),
            recording: object(&described.upstream)?,
            session_ended_at: described.session_ended_at.map(time::to_text),
            session: described.session.as_deref().map(object).transpose()?,
        };
        let text = serde_json::to_string_pretty(&wire).map_err(|_| BadSidecar::Unreadable)?;
        Ok(text + "\n")
    }

    /// Reads a sidecar of this project.
    ///
    /// # Errors
    /// [`BadSidecar`].
    pub fn read(bytes: &[u8], project_id: &str) -> Result<Self, BadSidecar> {
        let value: Value = serde_json::from_slice(bytes).map_err(|_| BadSidecar::Unreadable)?;
        let version = value.get("room_archiver_sidecar").and_then(Value::as_u64);
        match version {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) if version > u64::from(VERSION) => return Err(BadSidecar::Newer),
            _ => return Err(BadSidecar::Unreadable),
        }
        let wire: Wire = serde_json::from_value(value).map_err(|_| BadSidecar::Unreadable)?;
        if !wire.project_id.eq_ignore_ascii_case(project_id) {
            return Err(BadSidecar::OtherProject);
        }
        wire.check()
    }
}

impl Document {
    /// The sidecar of a recording of which nothing else is known: its object was written, and its sidecar was not.
    ///
    /// # Errors
    /// [`BadSidecar`], as if it were read.
    pub fn of_object(
        id: RecordingId,
        path: &str,
        (size_bytes, sha256): (u64, &str),
        written_at: DateTime<Utc>,
    ) -> Result<Self, BadSidecar> {
        let id = id.to_string();
        let at = time::to_text(written_at);
        Wire {
            room_archiver_sidecar: VERSION,
            project_id: String::new(),
            recording: Map::from_iter([("id".to_owned(), id.clone().into())]),
            recording_id: id,
            session_id: None,
            room_name: None,
            path: path.to_owned(),
            size_bytes,
            sha256: sha256.to_owned(),
            archived_at: at.clone(),
            first_seen_at: at,
            completed_seen_at: None,
            concerns: Vec::new(),
            session_ended_at: None,
            session: None,
        }
        .check()
    }
}

impl Wire {
    fn check(self) -> Result<Document, BadSidecar> {
        let bad = BadSidecar::Value;
        let id: RecordingId = self.recording_id.parse().map_err(|_| bad("recording_id"))?;
        let path = RelativePath::parse(&self.path).map_err(|_| bad("path"))?;
        let hidden = path.components().any(|name| name.starts_with('.'));
        if hidden || recording_id_in(path.as_str()) != Some(id) {
            return Err(bad("path"));
        }
        let session_id: Option<SessionId> = match &self.session_id {
            Some(text) => Some(text.parse().map_err(|_| bad("session_id"))?),
            None => None,
        };
        // The largest number that the database holds.
        if !(1..=i64::MAX.cast_unsigned()).contains(&self.size_bytes) {
            return Err(bad("size_bytes"));
        }
        let hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if self.sha256.len() != 64 || !self.sha256.bytes().all(hexadecimal) {
            return Err(bad("sha256"));
        }
        let when = |text: &str, name| time::parse(text).ok_or(bad(name));
        let maybe = |text: &Option<String>, name| -> Result<Option<DateTime<Utc>>, BadSidecar> {
            text.as_deref().map(|text| when(text, name)).transpose()
        };
        let concern = |one: &NotedConcern| {
            one.kind.parse::<ConcernKind>().is_ok() && time::parse(&one.noted_at).is_some()
        };
        if !self.concerns.iter().all(concern) {
            return Err(bad("concerns"));
        }
        // Without its own id an object is of another recording or session.
        let names = |object: &Map<String, Value>, id: &str| {
            let named = object.get("id").and_then(Value::as_str);
            named.is_some_and(|named| named.eq_ignore_ascii_case(id))
        };
        if !names(&self.recording, &self.recording_id) {
            return Err(bad("recording"));
        }
        if let Some(session) = &self.session
            && !names(session, self.session_id.as_deref().unwrap_or_default())
        {
            return Err(bad("session"));
        }
        let described = Described {
            id,
            session_id,
            room_name: self.room_name.clone(),
            path: path.to_string(),
            bytes: self.size_bytes,
            sha256: self.sha256.clone(),
            archived_at: when(&self.archived_at, "archived_at")?,
            first_seen_at: when(&self.first_seen_at, "first_seen_at")?,
            completed_seen_at: maybe(&self.completed_seen_at, "completed_seen_at")?,
            concerns: self.concerns,
            upstream: Value::Object(self.recording).to_string(),
            session_ended_at: maybe(&self.session_ended_at, "session_ended_at")?,
            session: self.session.map(|object| Value::Object(object).to_string()),
        };
        Ok(Document { described, path })
    }
}
