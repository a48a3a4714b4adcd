//! Sessions and recordings as the fake holds them, and their JSON as the contract documents it.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::media::{Fixture, Media};

/// The status of a session or of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// A session that runs.
    InProgress,
    /// A recording whose room has ended or that was stopped, before it has a link.
    Processing,
    /// A session that has ended, or a recording that has a link.
    Completed,
    /// Any other word, documented (`recording`, `paused`) or not.
    Other(String),
}

impl Status {
    fn word(&self) -> &str {
        match self {
            Self::InProgress => "in-progress",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for Status {
    fn from(word: &str) -> Self {
        match word {
            "in-progress" => Self::InProgress,
            "processing" => Self::Processing,
            "completed" => Self::Completed,
            word => Self::Other(word.to_owned()),
        }
    }
}

/// A session to add. Times that are not given come from the space's clock.
#[derive(Debug, Clone)]
pub struct NewSession {
    pub(crate) room: String,
    pub(crate) status: Status,
    pub(crate) start_time: Option<DateTime<Utc>>,
    pub(crate) end_time: Option<DateTime<Utc>>,
}

impl NewSession {
    /// A session that starts now.
    #[must_use]
    pub fn running(room: &str) -> Self {
        Self {
            room: room.to_owned(),
            status: Status::InProgress,
            start_time: None,
            end_time: None,
        }
    }

    /// A session that started an hour ago and ends now.
    #[must_use]
    pub fn completed(room: &str) -> Self {
        Self {
            status: Status::Completed,
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

#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub id: Uuid,
    pub room: String,
    pub status: Status,
    pub start_time: DateTime<Utc>,
    pub end_time: Option<DateTime<Utc>>,
    /// Lists are ordered by it.
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What `size_in_bytes` says of a completed recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reported {
    /// The true size of the media.
    #[default]
    True,
    /// The true size truncated to a signed 32-bit integer, as in the contract.
    Wrapped,
    /// `null`.
    Null,
    /// This number, true or not.
    Value(i64),
}

/// A recording to add.
#[derive(Debug, Clone)]
pub struct NewRecording {
    /// Only a completed one has a link.
    pub status: Status,
    /// The file behind its link.
    pub media: Media,
    /// What the API reports as its size.
    pub reported_size: Reported,
    /// What the API reports as its duration, in seconds; `None`: the true one.
    pub duration: Option<u32>,
    /// `None`: when its session started.
    pub started_at: Option<DateTime<Utc>>,
}

impl Default for NewRecording {
    fn default() -> Self {
        Self::completed(Media::fixture(Fixture::OneSecondFastStart))
    }
}

impl NewRecording {
    /// A completed recording of this media.
    #[must_use]
    pub fn completed(media: Media) -> Self {
        Self {
            status: Status::Completed,
            media,
            reported_size: Reported::True,
            duration: None,
            started_at: None,
        }
    }

    /// The same with another status.
    #[must_use]
    pub fn status(mut self, status: impl Into<Status>) -> Self {
        self.status = status.into();
        self
    }

    /// The same with another reported size.
    #[must_use]
    pub fn size(mut self, reported: Reported) -> Self {
        self.reported_size = reported;
        self
    }
}

/// A recording; change it with [`crate::State::update_recording`].
#[derive(Debug, Clone)]
pub struct Recording {
    pub(crate) id: Uuid,
    /// The session that the API lists it under.
    pub session_id: Uuid,
    pub(crate) status: Status,
    /// The file behind its link.
    pub media: Media,
    pub(crate) reported_size: Reported,
    pub(crate) duration: u32,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) created_at: DateTime<Utc>,
    /// Also the `Last-Modified` of its file.
    pub updated_at: DateTime<Utc>,
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Session {
    /// The object in a list.
    pub(crate) fn listed(&self, now: DateTime<Utc>) -> Value {
        let mut object = self.single(now);
        object["cost_in_dollars"] = json!(0.05);
        object["enable_room_previews"] = json!(false);
        object["locked_cover"] = json!("");
        object
    }

    /// The object of its own endpoint, which has three fields fewer.
    pub(crate) fn single(&self, now: DateTime<Utc>) -> Value {
        let seconds = (self.end_time.unwrap_or(now) - self.start_time).num_seconds();
        let mut object = json!({
            "id": self.id.to_string(),
            "room_id": null,
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
            "status": self.status.word(),
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
    /// Whether it has a link to its media.
    pub(crate) fn is_ready(&self) -> bool {
        self.status == Status::Completed
    }

    /// The object, with `uri` as given.
    pub(crate) fn json(&self, uri: Option<&str>) -> Value {
        let ready = self.is_ready();
        let stopped = ready || self.status == Status::Processing;
        let finished = self.started_at + TimeDelta::seconds(self.duration.into());
        json!({
            "id": self.id.to_string(),
            "room_session_id": self.session_id.to_string(),
            "status": self.status.word(),
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
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the truncation is the fault"
            )]
            Reported::Wrapped => json!(self.media.len().cast_signed() as i32),
            Reported::Null => Value::Null,
            Reported::Value(number) => json!(number),
        }
    }
}
