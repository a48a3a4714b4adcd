//! Rebuilds a lost database from the sidecars: of all that is in the archive, also of what SignalWire no longer has.
//! Nothing is believed unseen: a file must have the hash that its sidecar names.

mod bucket;

use std::io;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::archive::part::hash_file;
use crate::archive::paths::{RelativePath, recording_id_in};
use crate::archive::root::{Existing, NotThere, Root, Unread};
use crate::clock::Clock;
use crate::copies::StoreError;
use crate::human;
use crate::model::{Listed, RecordingId, Session};
use crate::sidecar::{self, BadSidecar, Document};
use crate::signalwire;
use crate::store::{self, Restored, Store};

/// Sidecars read before their rows are written in one transaction.
const BATCH: usize = 32;
/// Sidecars that can't be used and are named.
const MOST_NAMED: usize = 20;

/// Rebuilds the database of one archive.
#[derive(Clone)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Rebuilder {
    pub store: Store,
    pub root: Arc<Root>,
    pub clock: Clock,
    /// Sidecars of other projects are left alone.
    pub project_id: String,
    /// Ends it early.
    pub stop: CancellationToken,
    /// Called whenever it has made progress.
    pub beat: Arc<dyn Fn() + Send + Sync>,
}

/// What a rebuild came to.
#[derive(Debug, Default)]
pub struct Rebuilt {
    /// Recordings that are in the database as archived now, and were not before.
    pub restored: u64,
    /// Sidecars that can't be used.
    pub unusable: u64,
    /// The first of them, and why.
    pub named: Vec<(String, String)>,
    /// Directories that could not be read.
    pub unread: u64,
}

/// Why a rebuild could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The archive is not at its path now.
    #[error(transparent)]
    NotThere(#[from] NotThere),
    /// The object store failed.
    #[error("{0}; start it again to go on")]
    Bucket(#[from] StoreError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Why a sidecar is not used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Bad(#[from] BadSidecar),
    #[error("it is about another recording than its name says")]
    OtherRecording,
    #[error("SignalWire's object in it can't be read: {0}")]
    Object(&'static str),
    #[error("its file is not the one that it describes: size or SHA-256 differ")]
    OtherFile,
    #[error("its file is not there")]
    NoFile,
    #[error("its object is not there")]
    NoObject,
    #[error("it is not there, and the object does not say whose it is")]
    NoSidecar,
    #[error("its object is not the one that it describes: size or SHA-256 differ")]
    OtherObject,
    #[error(transparent)]
    Bucket(#[from] StoreError),
    #[error("could not read it, or its file: {0}")]
    Io(#[from] io::Error),
}

impl Rebuilder {
    /// Reads all sidecars in the archive, and the files that they are about.
    pub async fn from_disk(&self) -> Result<Rebuilt, RebuildError> {
        let (send, mut batches) = tokio::sync::mpsc::channel::<Vec<RelativePath>>(2);
        let root = self.root.clone();
        let walk = tokio::task::spawn_blocking(move || walk(&root, &send));
        let mut rebuilt = Rebuilt::default();
        while let Some(batch) = batches.recv().await {
            if self.stop.is_cancelled() {
                break;
            }
            self.take(batch, &mut rebuilt).await?;
            (self.beat)();
        }
        drop(batches);
        let walked = walk.await;
        let unread =
            walked.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
        rebuilt.unread = unread.len() as u64;
        Ok(rebuilt)
    }

    async fn take(
        &self,
        files: Vec<RelativePath>,
        rebuilt: &mut Rebuilt,
    ) -> Result<(), RebuildError> {
        let id = |file: &RelativePath| recording_id_in(file.as_str());
        let ids: Vec<RecordingId> = files.iter().filter_map(id).collect();
        let wanted = self.store.restorable(&ids).await?;
        let files = files.into_iter();
        let files = files.filter(|file| id(file).is_some_and(|id| wanted.contains(&id)));
        let (files, rebuilder) = (files.collect::<Vec<_>>(), self.clone());
        let read = tokio::task::spawn_blocking(move || {
            let read = files.into_iter().map(|file| {
                let read = rebuilder.read(&file);
                (file, read)
            });
            read.collect::<Vec<_>>()
        });
        let read = read
            .await
            .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let mut restored = Vec::new();
        for (file, read) in read {
            match read {
                Ok(one) => restored.push(one),
                Err(_) if self.stop.is_cancelled() => return Ok(()),
                Err(why) => {
                    let path = file.sidecar().unwrap_or(file);
                    rebuilt.unusable(path.to_string(), &why);
                }
            }
        }
        if !restored.is_empty() {
            let now = self.clock.now();
            rebuilt.restored += self.store.restore(&restored, now).await?;
        }
        Ok(())
    }

    /// Reads the sidecar of a file, and compares the file with it.
    fn read(&self, path: &RelativePath) -> Result<Restored, Unusable> {
        let sidecar = path.sidecar().map_err(io::Error::other)?;
        let Existing::File(bytes) = self.root.read_small(&sidecar, sidecar::MOST)? else {
            return Err(BadSidecar::Unreadable.into());
        };
        let document = Document::read(&bytes, &self.project_id)?;
        let now = self.clock.now();
        let mut restored = restored(document, now)?;
        if recording_id_in(path.as_str()) != Some(restored.described.id) {
            return Err(Unusable::OtherRecording);
        }
        let file = self
            .root
            .open_file(path)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => Unusable::NoFile,
                _ => error.into(),
            })?;
        let described = &mut restored.described;
        if file.metadata()?.len() != described.bytes {
            return Err(Unusable::OtherFile);
        }
        let (_, sha256) = hash_file(&file, |_| {
            (self.beat)();
            !self.stop.is_cancelled()
        })?;
        if sha256 != described.sha256 {
            return Err(Unusable::OtherFile);
        }
        self.root.make_durable(path)?;
        // Where it is now: someone may have moved both.
        described.path = path.to_string();
        Ok(restored)
    }
}

impl Rebuilt {
    fn unusable(&mut self, path: String, why: &Unusable) {
        self.unusable += 1;
        if self.named.len() < MOST_NAMED {
            self.named.push((path, human::chain(why)));
        }
    }
}

/// What the database needs, from a sidecar that was checked.
fn restored(document: Document, now: DateTime<Utc>) -> Result<Restored, Unusable> {
    let mut described = document.described;
    let listed: Listed = signalwire::stored(&described.upstream).map_err(Unusable::Object)?;
    let session: Option<Session> = match &described.session {
        Some(text) => Some(signalwire::stored(text).map_err(Unusable::Object)?),
        None => None,
    };
    // Nothing was archived in the future: it would never be verified again.
    described.archived_at = described.archived_at.min(now);
    described.first_seen_at = described.first_seen_at.min(now);
    Ok(Restored {
        described,
        recording: listed.recording,
        session,
        verified_at: now,
        copy: None,
    })
}

/// Sends the paths of all files that have a sidecar, without its `.json`.
fn walk(
    root: &Root,
    send: &tokio::sync::mpsc::Sender<Vec<RelativePath>>,
) -> Result<Vec<Unread>, NotThere> {
    root.check_there()?;
    let mut batch = Vec::with_capacity(BATCH);
    let unread = root.walk(|found| {
        let Some(file) = found.path.beside() else {
            return;
        };
        batch.push(file);
        if batch.len() == BATCH {
            // Fails only if the receiver is gone, because the database failed.
            _ = send.blocking_send(std::mem::take(&mut batch));
        }
    });
    _ = send.blocking_send(batch);
    root.check_there()?;
    Ok(unread)
}
