//! Brings a recording back from a copy: into its part, with the hash that its row names.

use std::io;
use std::sync::Arc;

use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use crate::archive::part::{Batches, PartFile};
use crate::archive::root::{PartError, Root};
use crate::copies::Target;
use crate::human;
use crate::model::RecordingId;
use crate::store::{self, HeldCopy, Store};

/// Brings recordings back from copies.
#[derive(Clone)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Fetcher {
    pub store: Store,
    pub root: Arc<Root>,
    /// The object stores by their names in the configuration.
    pub targets: Vec<(String, Target)>,
    pub batches: Batches,
    /// Ends it early.
    pub stop: CancellationToken,
    /// Called with the number of bytes that arrived.
    pub read: Arc<dyn Fn(u64) + Send + Sync>,
}

/// What is to be brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub struct Wanted {
    pub id: RecordingId,
    pub sha256: String,
}

/// A recording's part that holds the whole file.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub struct Fetched {
    pub part: PartFile,
    pub target: String,
}

/// Why a recording was not brought back.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No configured target holds it.
    #[error("no copy of it is in a configured object store")]
    NoCopy,
    /// What was wrong with each copy that was tried.
    #[error("{0}")]
    Copies(String),
    /// The part can't be written.
    #[error("the archive can't be written to: {0}")]
    Disk(#[source] io::Error),
    /// The process is to stop.
    #[error("stopped")]
    Stopped,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl From<PartError> for FetchError {
    fn from(error: PartError) -> Self {
        Self::Disk(match error {
            PartError::Disk(source) => source,
            error @ PartError::InTheWay { .. } => io::Error::other(error),
        })
    }
}

impl Fetcher {
    /// Fills the recording's part from the first copy that has the right bytes. The part is not durable yet.
    pub async fn fill_part(&self, wanted: &Wanted) -> Result<Fetched, FetchError> {
        let copies = self.store.held_copies(wanted.id).await?;
        let mut failed = Vec::new();
        for copy in &copies {
            let mut targets = self.targets.iter();
            let Some((name, target)) = targets.find(|(name, _)| *name == copy.target) else {
                continue;
            };
            match self.read_copy(target, copy, wanted).await {
                Ok(part) => {
                    let target = name.clone();
                    return Ok(Fetched { part, target });
                }
                Err(FetchError::Copies(why)) => {
                    tracing::warn!(recording.id = %wanted.id, target = name, "could not bring a recording back from a copy: {why}");
                    failed.push(format!("{name}: {why}"));
                }
                Err(error) => return Err(error),
            }
        }
        if failed.is_empty() {
            return Err(FetchError::NoCopy);
        }
        Err(FetchError::Copies(failed.join("; ")))
    }

    /// [`FetchError::Copies`]: another copy may do.
    async fn read_copy(
        &self,
        target: &Target,
        copy: &HeldCopy,
        wanted: &Wanted,
    ) -> Result<PartFile, FetchError> {
        let asked = self.stop.run_until_cancelled(target.read(&copy.key)).await;
        let (object, mut chunks) = match asked.ok_or(FetchError::Stopped)? {
            Ok(found) => found,
            Err(error) => return Err(FetchError::Copies(error.to_string())),
        };
        if object.bytes != copy.bytes {
            let text = format!(
                "the object has {} instead of {}",
                human::count(object.bytes, "byte"),
                copy.bytes
            );
            return Err(FetchError::Copies(text));
        }
        let mut part = self.empty_part(wanted.id).await?;
        let mut received = 0;
        let mut batch = self.batches.batch(0);
        loop {
            let next = self.stop.run_until_cancelled(chunks.next()).await;
            let mut chunk = match next.ok_or(FetchError::Stopped)? {
                None => break,
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) => return Err(FetchError::Copies(error.to_string())),
            };
            received += chunk.len() as u64;
            if received > copy.bytes {
                return Err(FetchError::Copies(
                    "more bytes arrived than the object has".to_owned(),
                ));
            }
            (self.read)(chunk.len() as u64);
            while !chunk.is_empty() {
                batch.fill(&mut chunk);
                if batch.is_full() {
                    part = append(part, batch).await?;
                    batch = self.batches.batch(part.len());
                }
            }
        }
        part = append(part, batch).await?;
        if received < copy.bytes {
            return Err(FetchError::Copies("the transfer was cut off".to_owned()));
        }
        if part.sha256() != wanted.sha256 {
            return Err(FetchError::Copies(
                "its SHA-256 is not the recording's".to_owned(),
            ));
        }
        Ok(part)
    }

    async fn empty_part(&self, id: RecordingId) -> Result<PartFile, FetchError> {
        let root = self.root.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let file = root.open_part(id)?;
            PartFile::resume(file, 0).map_err(FetchError::Disk)
        });
        opened
            .await
            .map_err(io::Error::other)
            .map_err(FetchError::Disk)?
    }
}

async fn append(
    mut part: PartFile,
    batch: crate::archive::part::Batch,
) -> Result<PartFile, FetchError> {
    let written = tokio::task::spawn_blocking(move || part.append(&batch).map(|()| part));
    let written = written.await.map_err(io::Error::other).flatten();
    written.map_err(FetchError::Disk)
}
