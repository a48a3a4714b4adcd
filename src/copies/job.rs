//! One copy: from the look at the key to the verified object.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Semaphore;

use super::failed::Failed;
use super::look::{confirmed, read_back};
use super::setup::{Setup, part_bytes};
use super::source::Source;
use super::upload::{Upload, abandon_known, new_token};
use super::{Object, StoreError, Trouble, sidecar};
use crate::store::{Copied, CopyFailure, CopyRow, CopyState};

/// An object that is not ours is looked at again so much later: somebody has to act.
const DIFFERS_AGAIN: TimeDelta = TimeDelta::hours(1);

/// One copy under way.
pub(super) struct Job {
    pub setup: Arc<Setup>,
    pub row: CopyRow,
    /// One for each part that is in memory.
    pub permits: Arc<Semaphore>,
    /// Whether a part arrived.
    pub progressed: Arc<AtomicBool>,
}

/// Where an object goes that was altered after it was copied: below the prefix, before its key and the time.
const SET_ASIDE: &str = ".altered";

/// What is under a key, compared with a recording.
enum Found {
    Nothing,
    Same(Object),
    Other(Object),
}

impl Job {
    /// Copies the recording, and notes that.
    pub(super) async fn run(&self) -> Result<(), Failed> {
        let Self { setup, row, .. } = self;
        let source = Source::open(setup.root.clone(), &row.path, row.bytes).await?;
        let object = match self.look(None).await? {
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
        let due = setup.store.sidecar_object(&setup.name, row.recording);
        let Some(due) = due.await? else {
            // Its file was found to be damaged meanwhile.
            return Err(Failed::Damaged("altered"));
        };
        let copied = Copied {
            key: row.path.clone(),
            bytes: row.bytes,
            sha256: row.sha256.clone(),
            etag: object.etag,
            version: object.version,
            sidecar: sidecar::write(setup, &due).await?,
        };
        let (target, now) = ((setup.id, setup.name.as_str()), setup.clock.now());
        setup.store.copied(target, row, &copied, now).await?;
        Ok(())
    }

    /// Uploads the file, in the place of an object if there is one, and looks at what is there then.
    async fn put(&self, source: Source, replaced: Option<&Object>) -> Result<Object, Failed> {
        let token = self.upload(source, replaced).await?;
        // Only what is seen there counts, whatever the upload was answered.
        match self.look(token.as_deref()).await? {
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
        let _permit = self.permits.acquire().await.ok();
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
        let created = target.create(key, content.clone(), &row.sha256, &token);
        match created.await {
            Err(error) if error.trouble == Trouble::Unsupported => {
                target.replace(key, content, &row.sha256, &token).await?;
            }
            // Somebody else was faster, or this is the answer to a request that was sent twice: the look decides.
            Err(error) if error.trouble == Trouble::Exists => return Ok(None),
            created => drop(created?),
        }
        Ok(Some(token))
    }

    /// What is under the key. With a token, only the object of that upload is the same.
    async fn look(&self, token: Option<&str>) -> Result<Found, Failed> {
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
            Failed::Sidecar(text) => {
                let text = format!("not copied to '{name}': {text}");
                failure(state, text, now + DIFFERS_AGAIN, true)
            }
            Failed::Damaged(_) => failure(state, failed.to_string(), later, true),
            Failed::Unreadable(_) => failure(state, failed.to_string(), later, false),
        })
    }
}
