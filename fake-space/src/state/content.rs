//! Adding, changing and deleting sessions and recordings, and how the API shows them.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use chrono::TimeDelta;
use serde_json::Value;
use uuid::Uuid;

use super::State;
use crate::bulk::BulkSpec;
use crate::media::Media;
use crate::model::{NewRecording, NewSession, Recording, Session, Status};
use crate::options::Order;
use crate::world::{List, Patch, Row, World};

fn write(path: &Path, media: &Media) -> io::Result<()> {
    if path
        .metadata()
        .is_ok_and(|there| there.len() == media.len())
    {
        return Ok(());
    }
    let mut file = BufWriter::new(File::create(path)?);
    for piece in media.read(0..media.len()) {
        file.write_all(&piece)?;
    }
    file.flush()
}

impl State {
    /// Adds a session.
    pub fn add_session(&self, new: NewSession) -> Uuid {
        let id = self.fresh_id();
        let now = self.now();
        let over = (new.status == Status::Completed).then_some(now);
        let end_time = new.end_time.or(over);
        let hour_before = end_time.map(|end| end - TimeDelta::hours(1));
        let start_time = new.start_time.or(hour_before).unwrap_or(now);
        let session = Session {
            id,
            room: new.room,
            status: new.status,
            start_time,
            end_time,
            created_at: start_time,
            updated_at: end_time.unwrap_or(start_time),
        };
        self.with_world(|world| world.add_session(session));
        id
    }

    /// Adds a recording to a session.
    pub fn add_recording(&self, session: Uuid, new: NewRecording) -> Uuid {
        let id = self.fresh_id();
        let now = self.now();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates"
        )]
        let own_duration = new.media.duration_s().round() as u32;
        self.with_world(|world| {
            let session_start = world.session(session).map(|session| session.start_time);
            let started_at = new.started_at.or(session_start).unwrap_or(now);
            world.add_recording(Recording {
                id,
                session_id: session,
                status: new.status,
                media: new.media,
                reported_size: new.reported_size,
                duration: new.duration.unwrap_or(own_duration),
                started_at,
                created_at: started_at,
                updated_at: now,
            });
        });
        id
    }

    /// Adds a completed session with one small completed recording, ready to be archived. Returns their ids.
    pub fn archivable(&self, room: &str) -> (Uuid, Uuid) {
        let session = self.add_session(NewSession::completed(room));
        (
            session,
            self.add_recording(session, NewRecording::default()),
        )
    }

    /// Adds sessions and recordings that are computed when they are requested, so that there can be
    /// millions. In lists they count as older than those added one by one.
    pub fn add_bulk(&self, spec: BulkSpec) {
        self.with_world(|world| world.add_bulk(spec));
    }

    /// Writes the file of every recording into a directory, as `<recording's id>.mp4`; existing files of
    /// the same length are kept. Returns the number of recordings.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn export(&self, directory: &Path) -> io::Result<u64> {
        let page = 1000;
        let mut count = 0;
        loop {
            let (rows, more) = self
                .with_world(|world| world.page(List::Recordings, Order::OldestFirst, count, page));
            for row in rows {
                count += 1;
                if let Row::Recording(recording) = row {
                    write(
                        &directory.join(format!("{}.mp4", recording.id)),
                        &recording.media,
                    )?;
                }
            }
            if !more {
                return Ok(count);
            }
        }
    }

    /// Changes a recording and its `updated_at`.
    ///
    /// # Panics
    /// When the recording does not exist, or was added in bulk.
    pub fn update_recording(&self, id: Uuid, change: impl FnOnce(&mut Recording)) {
        let now = self.now();
        self.with_world(|world| {
            let recording = world.recording_mut(id).expect("a recording that was added");
            recording.updated_at = now;
            change(recording);
        });
    }

    /// Makes a recording completed.
    pub fn complete(&self, recording: Uuid) {
        self.set_status(recording, Status::Completed);
    }

    /// Changes the status of a recording.
    pub fn set_status(&self, recording: Uuid, status: impl Into<Status>) {
        self.update_recording(recording, |recording| recording.status = status.into());
    }

    /// Ends a session now.
    ///
    /// # Panics
    /// When the session does not exist, or was added in bulk.
    pub fn end_session(&self, id: Uuid) {
        let now = self.now();
        self.with_world(|world| {
            let session = world.session_mut(id).expect("a session that was added");
            session.status = Status::Completed;
            session.end_time = Some(now);
            session.updated_at = now;
        });
    }

    /// Deletes a session and its list of recordings; the recordings stay in the list of all of them.
    /// Returns whether it existed.
    pub fn delete_session(&self, id: Uuid) -> bool {
        self.with_world(|world| world.delete_session(id))
    }

    /// Deletes a recording. Returns whether it existed.
    pub fn delete_recording(&self, id: Uuid) -> bool {
        self.with_world(|world| world.delete_recording(id))
    }

    /// A recording as the space holds it, without patches.
    #[must_use]
    pub fn recording(&self, id: Uuid) -> Option<Recording> {
        self.with_world(|world| world.recording(id))
    }

    /// A recording as the API shows it now, with a fresh link of the default lifetime.
    #[must_use]
    pub fn recording_json(&self, id: Uuid) -> Option<Value> {
        let uri = self.link(id);
        self.with_world(|world| {
            let recording = world.recording(id)?;
            Some(world.patched(id, recording.json(uri.as_deref())))
        })
    }

    /// A fresh link of the default lifetime to a completed recording.
    #[must_use]
    pub fn link(&self, recording: Uuid) -> Option<String> {
        let recording = self.recording(recording)?;
        self.mint(&recording, self.options().link_ttl_default.as_secs())
    }

    /// Changes what the API shows of a session or a recording, also of one added in bulk, in addition to
    /// earlier patches.
    pub fn patch(&self, id: Uuid, patch: Patch) {
        self.with_world(|world| world.patch(id, patch));
    }

    /// Removes all patches of a session or a recording.
    pub fn unpatch(&self, id: Uuid) {
        self.with_world(|world| world.unpatch(id));
    }

    /// Shows this `uri` instead of a recording's link.
    pub fn override_uri(&self, recording: Uuid, uri: impl Into<Value>) {
        self.patch(recording, Patch::set("uri", uri));
    }

    /// Shows the result of `change` for a recording's fresh link as its `uri`.
    pub fn map_uri(
        &self,
        recording: Uuid,
        change: impl Fn(&str) -> String + Send + Sync + 'static,
    ) {
        let change = move |uri: &Value| uri.as_str().map(&change).into();
        self.patch(recording, Patch::map("uri", change));
    }

    /// Adds any JSON value to a list.
    pub fn add_raw(&self, list: List, item: Value) {
        self.with_world(|world| world.add_raw(list, item));
    }

    /// Lists a recording under a second session as well, as if it belonged to it.
    pub fn list_also_under(&self, recording: Uuid, session: Uuid) {
        self.with_world(|world| world.claim(recording, session));
    }

    /// Removes what [`State::add_raw`] and [`State::list_also_under`] added.
    pub fn clear_extras(&self) {
        self.with_world(World::clear_extras);
    }
}
