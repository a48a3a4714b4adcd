//! The vendor's objects as the fake holds them, and their JSON as the contract documents it.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::media::Media;

/// What a new session is like. Times left out come from the space's clock.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The room's name.
    pub room: String,
    /// The room's id, if the room was not auto-created.
    pub room_id: Option<Uuid>,
    /// `in-progress`, `completed`, or any other word.
    pub status: String,
    /// When it started; `None`: now, or an hour before its end.
    pub start_time: Option<DateTime<Utc>>,
    /// When it ended; `None`: now, if it is completed.
    pub end_time: Option<DateTime<Utc>>,
}

impl NewSession {
    /// A session that runs in `room`.
    #[must_use]
    pub fn running(room: &str) -> Self {
        Self {
            room: room.to_owned(),
            room_id: None,
            status: "in-progress".to_owned(),
            start_time: None,
            end_time: None,
        }
    }

    /// A session in `room` that is over.
    #[must_use]
    pub fn completed(room: &str) -> Self {
        Self {
            status: "completed".to_owned(),
            ..Self::running(room)
        }
    }

    /// The same with these times.
    #[must_use]
    pub fn at(mut self, start: DateTime<Utc>, end: Option<DateTime<Utc>>) -> Self {
        self.start_time = Some(start);
        self.end_time = end;
        self
    }
}

/// A session; change it with [`crate::Space::update_session`].
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id.
    pub id: Uuid,
    /// The room's name.
    pub room: String,
    /// The room's id.
    pub room_id: Option<Uuid>,
    /// The vendor's word.
    pub status: String,
    /// When it started.
    pub start_time: DateTime<Utc>,
    /// When it ended.
    pub end_time: Option<DateTime<Utc>>,
    /// When the object was made; lists are ordered by it.
    pub created_at: DateTime<Utc>,
    /// When the object was changed last.
    pub updated_at: DateTime<Utc>,
}

/// What `size_in_bytes` says of a completed recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reported {
    /// The media's true length.
    #[default]
    True,
    /// The true length cut to 32 bits with its sign, as a service holding an int32 would.
    Wrapped,
    /// `null`.
    Null,
    /// This number.
    Value(i64),
}

/// What a new recording is like.
#[derive(Debug, Clone)]
pub struct NewRecording {
    /// `recording`, `paused`, `processing`, `completed`, or any other word.
    pub status: String,
    /// The file behind its link.
    pub media: Media,
    /// What its size is said to be.
    pub reported_size: Reported,
    /// Its length in seconds as the API tells it; `None`: the media's own.
    pub duration: Option<u32>,
    /// When it started; `None`: when its session did.
    pub started_at: Option<DateTime<Utc>>,
}

impl Default for NewRecording {
    fn default() -> Self {
        Self::completed(Media::fixture("one-second-faststart"))
    }
}

impl NewRecording {
    /// A completed recording of this media.
    #[must_use]
    pub fn completed(media: Media) -> Self {
        Self {
            status: "completed".to_owned(),
            media,
            reported_size: Reported::True,
            duration: None,
            started_at: None,
        }
    }

    /// The same with another status.
    #[must_use]
    pub fn status(mut self, word: &str) -> Self {
        word.clone_into(&mut self.status);
        self
    }

    /// The same with another word on its size.
    #[must_use]
    pub fn size(mut self, reported: Reported) -> Self {
        self.reported_size = reported;
        self
    }
}

/// A recording; change it with [`crate::Space::update_recording`].
#[derive(Debug, Clone)]
pub struct Recording {
    /// Its id.
    pub id: Uuid,
    /// Its session.
    pub session_id: Uuid,
    /// The vendor's word.
    pub status: String,
    /// The file behind its link.
    pub media: Media,
    /// What its size is said to be.
    pub reported_size: Reported,
    /// Its length in seconds as the API tells it.
    pub duration: u32,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When the object was made; lists are ordered by it.
    pub created_at: DateTime<Utc>,
    /// When the object was changed last.
    pub updated_at: DateTime<Utc>,
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Session {
    /// The object as lists show it.
    pub(crate) fn listed(&self, now: DateTime<Utc>) -> Value {
        let mut object = self.single(now);
        object["cost_in_dollars"] = json!(0.05);
        object["enable_room_previews"] = json!(false);
        object["locked_cover"] = json!("");
        object
    }

    /// The object as its own endpoint shows it: three fields fewer.
    pub(crate) fn single(&self, now: DateTime<Utc>) -> Value {
        let seconds = (self.end_time.unwrap_or(now) - self.start_time).num_seconds();
        let mut object = json!({
            "id": self.id.to_string(),
            "room_id": self.room_id.map(|id| id.to_string()),
            "name": self.room,
            "display_name": self.room,
            "max_members": 20,
            "quality": "720p",
            "fps": 20,
            "layout": "grid-responsive",
            "record_on_start": true,
            "tone_on_entry_and_exit": true,
            "room_join_video_off": false,
            "user_join_video_off": false,
            "locked": false,
            "start_time": text(self.start_time),
            "end_time": self.end_time.map(text),
            "duration": i32::try_from(seconds.max(0)).unwrap_or(i32::MAX),
            "status": self.status,
            "created_at": text(self.created_at),
            "updated_at": text(self.updated_at),
            "prioritize_handraise": false,
            "sync_audio_video": true,
        });
        for unset in [
            "join_from",
            "join_until",
            "remove_at",
            "remove_after_seconds_elapsed",
            "preview_url",
        ] {
            object[unset] = Value::Null;
        }
        object
    }
}

impl Recording {
    /// Whether it has a link.
    pub(crate) fn is_ready(&self) -> bool {
        self.status == "completed"
    }

    /// The object, with `uri` as given.
    pub(crate) fn json(&self, uri: Option<&str>) -> Value {
        let ready = self.is_ready();
        let stopped = ready || self.status == "processing";
        let finished = self.started_at + chrono::TimeDelta::seconds(self.duration.into());
        json!({
            "id": self.id.to_string(),
            "room_session_id": self.session_id.to_string(),
            "status": self.status,
            "started_at": text(self.started_at),
            "finished_at": stopped.then(|| text(finished)),
            "duration": ready.then_some(self.duration),
            "size_in_bytes": if ready { self.size() } else { Value::Null },
            "format": ready.then(|| self.media.content_type()),
            "cost_in_dollars": if ready { 0.05 } else { 0.0 },
            "uri": uri,
            "created_at": text(self.created_at),
            "updated_at": text(self.updated_at),
        })
    }

    fn size(&self) -> Value {
        match self.reported_size {
            Reported::True => json!(self.media.len()),
            #[expect(clippy::cast_possible_truncation, reason = "the fault is the cut")]
            Reported::Wrapped => json!(self.media.len().cast_signed() as i32),
            Reported::Null => Value::Null,
            Reported::Value(number) => json!(number),
        }
    }
}
