//! What a test puts into the space, changes in it, and takes out of it.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use chrono::TimeDelta;
use serde_json::Value;
use uuid::Uuid;

use super::{Order, Space};
use crate::api;
use crate::bulk::BulkSpec;
use crate::media::Media;
use crate::model::{NewRecording, NewSession, Recording, Session};
use crate::world::{Filter, List, Patch, Row};

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

impl Space {
    /// Adds a session.
    pub fn add_session(&self, new: NewSession) -> Uuid {
        let id = self.inner.fresh_id();
        let now = self.now();
        let over = (new.status == "completed").then_some(now);
        let end_time = new.end_time.or(over);
        let hour_before = end_time.map(|end| end - TimeDelta::hours(1));
        let start_time = new.start_time.or(hour_before).unwrap_or(now);
        let session = Session {
            id,
            room: new.room,
            room_id: new.room_id,
            status: new.status,
            start_time,
            end_time,
            created_at: start_time,
            updated_at: end_time.unwrap_or(start_time),
        };
        self.inner.with_world(|world| world.add_session(session));
        id
    }

    /// Adds a recording to a session.
    pub fn add_recording(&self, session: Uuid, new: NewRecording) -> Uuid {
        let id = self.inner.fresh_id();
        let now = self.now();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it saturates"
        )]
        let own_duration = new.media.duration_s().round() as u32;
        self.inner.with_world(|world| {
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

    /// Adds a session that is over with one completed small recording: what there is to archive.
    pub fn archivable(&self, room: &str) -> (Uuid, Uuid) {
        let session = self.add_session(NewSession::completed(room));
        (
            session,
            self.add_recording(session, NewRecording::default()),
        )
    }

    /// Adds sessions and recordings that are computed when they are asked for, so that there may be
    /// millions. In lists they count as older than those added one by one.
    pub fn add_bulk(&self, spec: BulkSpec) {
        self.inner.with_world(|world| world.add_bulk(spec));
    }

    /// Writes the file of every recording into a directory, as `<recording's id>.mp4`; those that are
    /// there with that length already are left. Returns how many recordings there are.
    ///
    /// # Errors
    /// The file system's.
    pub fn export(&self, directory: &Path) -> io::Result<u64> {
        let page = 1000;
        let mut count = 0;
        loop {
            let (rows, more) = self.inner.with_world(|world| {
                let (filter, order) = (Filter::default(), Order::OldestFirst);
                world.page(List::Recordings, &filter, order, count, page)
            });
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

    /// Changes a session that was added; `updated_at` follows.
    ///
    /// # Panics
    /// If it is not there.
    pub fn update_session(&self, id: Uuid, change: impl FnOnce(&mut Session)) {
        let now = self.now();
        self.inner.with_world(|world| {
            let session = world.session_mut(id).expect("a session that was added");
            session.updated_at = now;
            change(session);
        });
    }

    /// Changes a recording that was added; `updated_at` follows.
    ///
    /// # Panics
    /// If it is not there.
    pub fn update_recording(&self, id: Uuid, change: impl FnOnce(&mut Recording)) {
        let now = self.now();
        self.inner.with_world(|world| {
            let recording = world.recording_mut(id).expect("a recording that was added");
            recording.updated_at = now;
            change(recording);
        });
    }

    /// Makes a recording completed.
    pub fn complete(&self, recording: Uuid) {
        self.set_status(recording, "completed");
    }

    /// Gives a recording this status.
    pub fn set_status(&self, recording: Uuid, word: &str) {
        self.update_recording(recording, |recording| {
            word.clone_into(&mut recording.status);
        });
    }

    /// Ends a session now.
    pub fn end_session(&self, id: Uuid) {
        let now = self.now();
        self.update_session(id, |session| {
            "completed".clone_into(&mut session.status);
            session.end_time = Some(now);
        });
    }

    /// Takes a session out, and its list of recordings; these stay in the list of all of them.
    pub fn delete_session(&self, id: Uuid) -> bool {
        self.inner.with_world(|world| world.delete_session(id))
    }

    /// Takes a recording out.
    pub fn delete_recording(&self, id: Uuid) -> bool {
        self.inner.with_world(|world| world.delete_recording(id))
    }

    /// A session as it is held.
    #[must_use]
    pub fn session(&self, id: Uuid) -> Option<Session> {
        self.inner.with_world(|world| world.session(id))
    }

    /// A recording as it is held.
    #[must_use]
    pub fn recording(&self, id: Uuid) -> Option<Recording> {
        self.inner.with_world(|world| world.recording(id))
    }

    /// A recording as the API shows it now, with a fresh link of the default life.
    #[must_use]
    pub fn recording_json(&self, id: Uuid) -> Option<Value> {
        let uri = self.link(id);
        self.inner.with_world(|world| {
            let recording = world.recording(id)?;
            Some(world.patched(id, recording.json(uri.as_deref())))
        })
    }

    /// A fresh link of the default life to a completed recording.
    #[must_use]
    pub fn link(&self, recording: Uuid) -> Option<String> {
        let recording = self.recording(recording)?;
        let life = self
            .inner
            .with_settings(|settings| settings.options.link_ttl_default);
        api::mint(&self.inner, &recording, life.as_secs())
    }

    /// Shows an object otherwise than it is, wherever it is shown; works for sessions and recordings,
    /// also computed ones, and adds to earlier patches.
    pub fn patch(&self, id: Uuid, patch: Patch) {
        self.inner.with_world(|world| world.patch(id, patch));
    }

    /// Shows an object as it is again.
    pub fn unpatch(&self, id: Uuid) {
        self.inner.with_world(|world| world.unpatch(id));
    }

    /// Shows this `uri` instead of a recording's link.
    pub fn override_uri(&self, recording: Uuid, uri: impl Into<Value>) {
        self.patch(recording, Patch::set("uri", uri));
    }

    /// Shows what `change` makes of a recording's freshly minted link.
    pub fn map_uri(
        &self,
        recording: Uuid,
        change: impl Fn(&str) -> String + Send + Sync + 'static,
    ) {
        let change = move |uri: &Value| uri.as_str().map(&change).into();
        self.patch(recording, Patch::map("uri", change));
    }

    /// Adds an item to a list as it is, whatever it is.
    pub fn add_raw(&self, list: List, item: Value) {
        self.inner.with_world(|world| world.add_raw(list, item));
    }

    /// Lists a recording under a second session as well, as if it belonged to that one.
    pub fn list_also_under(&self, recording: Uuid, session: Uuid) {
        self.inner
            .with_world(|world| world.claim(recording, session));
    }

    /// Takes out what [`Space::add_raw`] and [`Space::list_also_under`] added.
    pub fn clear_extras(&self) {
        self.inner.with_world(crate::world::World::clear_extras);
    }
}
