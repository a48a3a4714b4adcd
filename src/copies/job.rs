//! One copy: from the look at the key, if it is needed, to the object that is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Semaphore;

use super::buffers::Buffers;
use super::failed::Failed;
use super::first_look::FirstLook;
use super::look::{confirmed, read_back};
use super::setup::{FILE_PERMITS, Setup, part_bytes};
use super::source::{Source, SourceError};
use super::upload::{Upload, abandon_known, new_token};
use super::{Object, Receipt, StoreError, Trouble};
use crate::store::{CopyFailure, CopyRow, CopyState};

/// An object that is not ours is looked at again so much later: somebody has to act.
const DIFFERS_AGAIN: TimeDelta = TimeDelta::hours(1);

/// One copy under way.
pub(super) struct Job {
    pub setup: Arc<Setup>,
    pub row: CopyRow,
    /// For what is in memory.
    pub permits: Arc<Semaphore>,
    /// For what is read.
    pub buffers: Buffers,
    /// Whether a part arrived.
    pub progressed: Arc<AtomicBool>,
    /// Whether the key has to be looked at first.
    pub first_look: Arc<FirstLook>,
    /// Whether more small files wait, so that it pays to know that.
    pub more: bool,
}

/// An object that was uploaded, or was there.
pub(super) struct Placed {
    /// What the store said of it.
    pub receipt: Receipt,
    /// The upload, if nobody looked at the object since.
    pub unseen: Option<String>,
}

impl From<Object> for Placed {
    fn from(object: Object) -> Self {
        let Object { etag, version, .. } = object;
        let receipt = Receipt { etag, version };
        Self {
            receipt,
            unseen: None,
        }
    }
}

/// Where an object goes that was altered after it was copied: below the prefix, before its key and the time.
const SET_ASIDE: &str = ".altered";

/// What is under a key, compared with a recording.
pub(super) enum Found {
    Nothing,
    Same(Object),
    Other(Object),
}

impl Job {
    /// Makes sure that the object is there.
    pub(super) async fn run(&self) -> Result<Placed, Failed> {
        if let Some(placed) = self.create_without_look().await? {
            return Ok(placed);
        }
        let Self { setup, row, .. } = self;
        let source = self.source().await?;
        let found = self.look(None).await?;
        let taken = !matches!(found, Found::Nothing);
        self.first_look.was_taken(taken);
        let object = match found {
            Found::Same(object) => object,
            Found::Nothing => self.put(source, None).await?,
            Found::Other(object) if row.was_copied => {
                self.set_aside().await?;
                self.put(source, Some(&object)).await?
            }
            Found::Other(_) => {
                // What an earlier attempt began can't be completed any more.
                abandon_known(setup, row).await?;
                return Err(self.differs());
            }
        };
        Ok(object.into())
    }

    async fn source(&self) -> Result<Source, SourceError> {
        let (root, row) = (self.setup.root.clone(), &self.row);
        Source::open(root, &row.path, row.bytes, &self.buffers).await
    }

    /// Uploads the file, if it is a small one that was not tried before; `None`: the key has to be looked at.
    async fn create_without_look(&self) -> Result<Option<Placed>, Failed> {
        let Self { setup, row, .. } = self;
        let first = row.state == CopyState::Pending && row.retries == 0 && !row.was_copied;
        if !first || !setup.is_small(row.bytes) || self.first_look.is_needed() {
            return Ok(None);
        }
        let _permit = self.permits.acquire_many(FILE_PERMITS).await.ok();
        let source = self.source().await?;
        let (source, content) = source.part(row.bytes).await?;
        if !source.agrees(&row.sha256) {
            return Err(Failed::Damaged("altered"));
        }
        let token = new_token(&row.sha256, setup.clock.now());
        let created = setup.target.create(&row.path, content, &row.sha256, &token);
        match created.await {
            Ok(receipt) => Ok(Some(Placed {
                receipt,
                unseen: Some(token),
            })),
            Err(StoreError {
                trouble: Trouble::Exists | Trouble::Conflict | Trouble::Unsupported,
                ..
            }) => {
                self.first_look.was_taken(true);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Uploads the file, in the place of an object if there is one, and looks at what is there then.
    async fn put(&self, source: Source, replaced: Option<&Object>) -> Result<Object, Failed> {
        let token = self.upload(source, replaced).await?;
        self.uploaded(self.look(token.as_deref()).await?)
    }

    /// The object after the upload. Only what is seen there counts, whatever the upload was answered.
    pub(super) fn uploaded(&self, found: Found) -> Result<Object, Failed> {
        match found {
            Found::Same(object) => Ok(object),
            Found::Other(_) => Err(self.differs()),
            Found::Nothing => {
                let detail = "the object is not there after its upload";
                Err(StoreError::new(Trouble::Unavailable, "find the copy", detail).into())
            }
        }
    }

    /// Keeps a copy of the object that is now under the key of a copy: nothing that others wrote is lost.
    async fn set_aside(&self) -> Result<(), Failed> {
        let Self { setup, row, .. } = self;
        let time = setup.clock.now().format("%Y%m%dT%H%M%SZ");
        let to = format!("{SET_ASIDE}/{}.{time}", row.path);
        setup.target.duplicate(&row.path, &to).await?;
        let text = format!(
            "the copy in '{}' was altered: what is there now was copied to '{to}', and is replaced",
            setup.name
        );
        tracing::error!(recording.id = %row.id, copies.target = setup.name, "{text}");
        let now = setup.clock.now();
        Ok(setup.store.event(now, "copy", Some(row.id), &text).await?)
    }

    fn differs(&self) -> Failed {
        Failed::Differs(format!(
            "another object is under the key '{}': it is not overwritten; move it away, or give this archive a prefix of its own",
            self.row.path
        ))
    }

    /// Uploads the file; returns the token of the object, if the object has to have it. Only the object `replaced` may
    /// be under the key.
    async fn upload(
        &self,
        source: Source,
        replaced: Option<&Object>,
    ) -> Result<Option<String>, Failed> {
        let Self { setup, row, .. } = self;
        let part = part_bytes(row.bytes, setup.part_bytes);
        if row.bytes <= part {
            return self.upload_whole(source, replaced.is_some()).await;
        }
        let mut upload = Upload::resume_or_begin(setup, row, part).await?;
        let source = upload.send(source, &self.permits, &self.progressed).await?;
        if !source.agrees(&row.sha256) {
            upload.abandon().await?;
            return Err(Failed::Damaged("altered"));
        }
        // The upload may have taken hours, and its completion replaces whatever is there.
        match self.look(None).await? {
            Found::Nothing => {}
            Found::Same(_) => {
                upload.abandon().await?;
                return Ok(None);
            }
            Found::Other(object) if replaced == Some(&object) => {}
            Found::Other(_) => {
                upload.abandon().await?;
                return Err(self.differs());
            }
        }
        match upload.complete().await {
            Ok(()) => Ok(Some(upload.token.clone())),
            Err(Failed::Target(error)) => self.doubtful(upload, error).await,
            Err(error) => Err(error),
        }
    }

    /// The completion failed, or its answer was lost: whether the object is there decides.
    async fn doubtful(
        &self,
        upload: Upload<'_>,
        error: StoreError,
    ) -> Result<Option<String>, Failed> {
        if let Found::Same(_) = self.look(Some(&upload.token)).await? {
            return Ok(Some(upload.token));
        }
        match error.trouble {
            // A part is not what its receipt says, or all of them are gone.
            Trouble::NoUpload | Trouble::Gone | Trouble::Checksum | Trouble::Rejected => {
                upload.abandon().await?;
            }
            _ => {}
        }
        Err(error.into())
    }

    async fn upload_whole(&self, source: Source, replaces: bool) -> Result<Option<String>, Failed> {
        let Self { setup, row, .. } = self;
        let permits = setup.permits(row.bytes);
        let _permit = self.permits.acquire_many(permits).await.ok();
        let (source, content) = source.part(row.bytes).await?;
        if !source.agrees(&row.sha256) {
            return Err(Failed::Damaged("altered"));
        }
        let token = new_token(&row.sha256, setup.clock.now());
        let (key, target) = (&row.path, &setup.target);
        if replaces {
            target.replace(key, content, &row.sha256, &token).await?;
            return Ok(Some(token));
        }
        let create = || target.create(key, content.clone(), &row.sha256, &token);
        match create().await {
            Err(error) if error.trouble == Trouble::Unsupported => {
                let content = content.clone();
                target.replace(key, content, &row.sha256, &token).await?;
            }
            // Somebody else was faster, or this is the answer to a request that was sent twice: the look decides.
            Err(error) if matches!(error.trouble, Trouble::Exists | Trouble::Conflict) => {
                return Ok(None);
            }
            created => drop(created?),
        }
        if self.more && setup.is_small(row.bytes) {
            self.first_look.find_out(create()).await;
        }
        Ok(Some(token))
    }

    /// What is under the key; after an upload, with its token.
    pub(super) async fn look(&self, token: Option<&str>) -> Result<Found, Failed> {
        let (row, target) = (&self.row, &self.setup.target);
        let right =
            |object: Option<&Object>| object.is_none_or(|object| object.is(row.bytes, &row.sha256));
        let Some(object) = confirmed(target, &row.path, right).await? else {
            return Ok(Found::Nothing);
        };
        let same_size = object.bytes == row.bytes;
        // What was read and found to be altered may have the right marks all the same.
        let doubted = row.state == CopyState::Differs && token.is_none();
        let found = match &object.sha256 {
            Some(sha256)
                if same_size
                    && *sha256 == row.sha256
                    && (!doubted || self.content_agrees().await?) =>
            {
                let another = token.is_some() && object.token.as_deref() != token;
                if another {
                    tracing::warn!(recording.id = %row.id, copies.target = self.setup.name, "another upload of the same recording was faster");
                }
                Found::Same(object)
            }
            // Copied by another program, say: its content decides.
            None if same_size && self.content_agrees().await? => Found::Same(object),
            _ => Found::Other(object),
        };
        Ok(found)
    }

    /// Reads the object, and compares its hash.
    async fn content_agrees(&self) -> Result<bool, Failed> {
        let (row, target) = (&self.row, &self.setup.target);
        Ok(
            read_back(target, &row.path, row.bytes, &*self.setup.beat).await?
                == Some(row.sha256.clone()),
        )
    }

    /// What follows a failure; `None`: the database failed.
    pub(super) fn failure(&self, failed: &Failed) -> Option<CopyFailure> {
        let (now, name) = (self.setup.clock.now(), &self.setup.name);
        let progressed = self.progressed.load(Ordering::Relaxed);
        let failures = if progressed { 0 } else { self.row.retries };
        let later = now + self.setup.wait(failures);
        let state = match self.row.state {
            CopyState::Copied => CopyState::Pending,
            state => state,
        };
        let failure = |state, error, again_at: DateTime<Utc>, event| CopyFailure {
            state,
            error,
            again_at,
            target_failed: false,
            progressed,
            event,
        };
        Some(match failed {
            Failed::Store(_) => return None,
            Failed::Target(error) => {
                let again_at = match error.trouble {
                    Trouble::SlowDown { until } => until.max(later),
                    _ => later,
                };
                CopyFailure {
                    target_failed: error.trouble.concerns_target(),
                    ..failure(state, error.to_string(), again_at, false)
                }
            }
            Failed::Differs(text) => {
                let text = format!("not copied to '{name}': {text}");
                failure(CopyState::Differs, text, now + DIFFERS_AGAIN, true)
            }
            Failed::Damaged(_) => failure(state, failed.to_string(), later, true),
            Failed::Changed => failure(state, failed.to_string(), now, false),
            Failed::Unreadable(_) => failure(state, failed.to_string(), later, false),
        })
    }
}
