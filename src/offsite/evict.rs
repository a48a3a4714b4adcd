//! Removes files from the disk whose copies are old and were verified twice, at least a day apart: `keep_local`.
//!
//! Just before, the copy is looked for once more and the whole file is read: only the very file that was archived goes.
//! First one transaction says that it is evicted, then it is removed. After a crash in between, the next run finds the
//! file, and takes the eviction back.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::archive::part::{hash_bytes, hash_file};
use crate::archive::paths::RelativePath;
use crate::archive::root::{Existing, NotThere, Root};
use crate::clock::Clock;
use crate::copies::{StoreError, Target};
use crate::model::RecordingId;
use crate::sidecar;
use crate::store::{self, Evictable, Store};

/// Rows looked at together.
const BATCH: u32 = 100;

/// Evicts files of one archive.
#[derive(Clone)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Evictor {
    pub store: Store,
    pub root: Arc<Root>,
    pub clock: Clock,
    /// The object stores whose `keep_local` is limited: name, store and limit.
    pub targets: Vec<(String, Target, Duration)>,
    /// Ends it early.
    pub stop: CancellationToken,
}

/// What a run did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Evicted {
    /// Files removed.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that stay because they, or their copies, are not as they should be.
    pub kept: u64,
    /// Recordings whose last copy is gone: they are damaged now, and downloaded again.
    pub gone: Vec<RecordingId>,
}

/// Why a run could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum EvictError {
    /// The archive is not at its path now.
    #[error(transparent)]
    NotThere(#[from] NotThere),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What is in the place of an archived file.
enum Standing {
    /// The file itself, open, and when it was last written to, before it was read.
    Same(File, SystemTime),
    /// Nothing, or something else.
    Damaged(&'static str),
    /// It can't be read, or not all of it now.
    Unknown(io::Error),
}

impl Evictor {
    /// Evicts all files that may go now.
    pub async fn run(&self) -> Result<Evicted, EvictError> {
        let mut evicted = Evicted::default();
        for file in self.store.unremoved().await? {
            self.recover(&file).await?;
        }
        evicted.gone = self.store.note_nowhere(self.clock.now()).await?;
        for id in &evicted.gone {
            tracing::error!(recording.id = %id, "an evicted recording has no copy any more; it is downloaded again while SignalWire has it");
        }
        for (name, target, keep) in &self.targets {
            self.of(name, target, *keep, &mut evicted).await?;
        }
        Ok(evicted)
    }

    /// Ends an eviction that a crash cut off before the file was removed, or before that was noted.
    async fn recover(&self, file: &Evictable) -> Result<(), EvictError> {
        let now = self.clock.now();
        match self.look(file).await? {
            Standing::Same(..) => self.store.take_back(file, now).await?,
            Standing::Damaged("missing") => self.store.removed(file).await?,
            Standing::Damaged(_) => self.left_alone(file).await?,
            Standing::Unknown(error) => {
                tracing::warn!(recording.id = %file.id, path = file.path, "could not read an evicted file: {error}");
            }
        }
        Ok(())
    }

    async fn of(
        &self,
        name: &str,
        target: &Target,
        keep: Duration,
        evicted: &mut Evicted,
    ) -> Result<(), EvictError> {
        let mut after = 0;
        loop {
            let keep = TimeDelta::from_std(keep).unwrap_or(TimeDelta::MAX);
            let Some(before) = self.clock.now().checked_sub_signed(keep) else {
                return Ok(());
            };
            let batch = self.store.evictable(name, before, after, BATCH).await?;
            let Some(last) = batch.last() else {
                return Ok(());
            };
            after = last.row;
            for file in batch {
                if self.stop.is_cancelled() {
                    return Ok(());
                }
                match self.still_copied(target, &file).await {
                    Ok(true) => self.one(&file, evicted).await?,
                    Ok(false) => {
                        evicted.kept += 1;
                        tracing::error!(recording.id = %file.id, copies.target = name, "a file stays on the disk: its copy is not as it was verified");
                    }
                    Err(error) => {
                        tracing::warn!(
                            copies.target = name,
                            "files stay on the disk for now: {error}"
                        );
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Looks for the copy once more: the last verification may be weeks ago.
    async fn still_copied(&self, target: &Target, file: &Evictable) -> Result<bool, StoreError> {
        let found = target.head(&file.key).await?;
        Ok(found.is_some_and(|object| {
            object.is(file.bytes, &file.sha256) && (file.etag.is_none() || object.etag == file.etag)
        }))
    }

    async fn one(&self, file: &Evictable, evicted: &mut Evicted) -> Result<(), EvictError> {
        let open = match self.look(file).await? {
            Standing::Same(open, modified) => (open, modified),
            Standing::Damaged(how) => {
                evicted.kept += 1;
                tracing::error!(recording.id = %file.id, path = file.path, "an archived file is {how}");
                let now = self.clock.now();
                self.store.verified(file.id, Some(how), now).await?;
                return Ok(());
            }
            Standing::Unknown(error) => {
                evicted.kept += 1;
                tracing::warn!(recording.id = %file.id, path = file.path, "a file stays on the disk, because it could not be read: {error}");
                return Ok(());
            }
        };
        self.store.evict(file, self.clock.now()).await?;
        match self.remove(file, open).await {
            Ok(true) => {
                self.store.removed(file).await?;
                evicted.files += 1;
                evicted.bytes += file.bytes;
                tracing::info!(recording.id = %file.id, path = file.path, size_bytes = file.bytes, "evicted a file: its copies are verified");
            }
            Ok(false) => {
                evicted.kept += 1;
                self.left_alone(file).await?;
            }
            Err(error) => {
                evicted.kept += 1;
                tracing::error!(recording.id = %file.id, path = file.path, "could not remove an evicted file: {error}");
                self.store.take_back(file, self.clock.now()).await?;
            }
        }
        Ok(())
    }

    /// Something else is in the place of an evicted file.
    async fn left_alone(&self, file: &Evictable) -> Result<(), EvictError> {
        let text = format!(
            "its copies are verified, but '{}' is not the file that was archived: it was left alone",
            file.path
        );
        tracing::warn!(recording.id = %file.id, "{text}");
        let now = self.clock.now();
        self.store
            .event(now, "evicted", Some(file.id), &text)
            .await?;
        Ok(self.store.removed(file).await?)
    }

    /// Reads the whole file.
    async fn look(&self, file: &Evictable) -> Result<Standing, EvictError> {
        let (root, file, stop) = (self.root.clone(), file.clone(), self.stop.clone());
        let looked = blocking(move || {
            root.check_there()?;
            let looked = look(&root, &file, &stop);
            // An archive that was unmounted meanwhile has no files.
            root.check_there()?;
            Ok::<_, NotThere>(looked.unwrap_or_else(Standing::Unknown))
        });
        Ok(looked.await?)
    }

    /// Removes the file and its sidecar; `false`: the path leads to another file by now.
    async fn remove(
        &self,
        file: &Evictable,
        (open, modified): (File, SystemTime),
    ) -> io::Result<bool> {
        let (root, file) = (self.root.clone(), file.clone());
        blocking(move || {
            root.check_there().map_err(io::Error::other)?;
            let path = RelativePath::parse(&file.path).map_err(io::Error::other)?;
            if !root.remove_same(&path, &open, modified)? {
                return Ok(false);
            }
            let sidecar = path.sidecar().ok().zip(file.sidecar_sha256.as_ref());
            if let Some((path, sha256)) = sidecar
                && let Ok(Existing::File(bytes)) = root.read_small(&path, sidecar::MOST)
                && hash_bytes(&bytes) == *sha256
            {
                let open = root.open_file(&path)?;
                root.remove_same(&path, &open, open.metadata()?.modified()?)?;
            }
            Ok(true)
        })
        .await
    }
}

fn look(root: &Root, file: &Evictable, stop: &CancellationToken) -> io::Result<Standing> {
    let path = RelativePath::parse(&file.path).map_err(io::Error::other)?;
    let Some(standing) = root.stat(&path)? else {
        return Ok(Standing::Damaged("missing"));
    };
    if !standing.is_file || standing.size_bytes != file.bytes {
        return Ok(Standing::Damaged("altered"));
    }
    let open = root.open_file(&path)?;
    let modified = open.metadata()?.modified()?;
    let (_, sha256) = hash_file(&open, |_| !stop.is_cancelled())?;
    Ok(if sha256 == file.sha256 {
        Standing::Same(open, modified)
    } else {
        Standing::Damaged("altered")
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let worked = tokio::task::spawn_blocking(work).await;
    worked.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
