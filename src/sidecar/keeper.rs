//! Writes the sidecars that are due beside the files on the disk.

use std::io;
use std::sync::Arc;

use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use super::document::{Document, MOST};
use crate::archive::part::hash_bytes;
use crate::archive::paths::RelativePath;
use crate::archive::root::{Existing, How, NotThere, Root, Small};
use crate::clock::Clock;
use crate::model::RecordingId;
use crate::store::{self, DueSidecar, Store, Written};

/// Sidecars written before their directories are synced, and noted in one transaction.
const BATCH: u32 = 64;

/// Keeps the sidecars of one archive up to date.
#[derive(Clone)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Keeper {
    pub store: Store,
    pub root: Arc<Root>,
    pub clock: Clock,
    pub project_id: String,
    /// The permissions of the files.
    pub mode: u32,
    /// Ends it between two batches.
    pub stop: CancellationToken,
}

/// Why the sidecars could not be looked after.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The archive is not at its path now.
    #[error(transparent)]
    NotThere(#[from] NotThere),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What a run did.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Sidecars that were written.
    pub written: u64,
    /// Sidecars that could not be written, and are tried again by the next run.
    pub failed: u64,
    /// Of these the first: its path, and why.
    pub error: Option<(String, io::Error)>,
}

/// What a batch came to.
#[derive(Default)]
struct Batch {
    written: Vec<Written>,
    errors: Vec<(String, io::Error)>,
    /// What else stood in their places, and where it is now.
    moved: Vec<(RecordingId, RelativePath)>,
}

impl Keeper {
    /// Writes all that are due. What can't be written now, such as on a full disk, is tried again by the next run.
    pub async fn catch_up(&self) -> Result<Outcome, Failed> {
        let (mut after, mut outcome) = (0, Outcome::default());
        loop {
            let due = self.store.due_sidecars(after, BATCH).await?;
            let Some(last) = due.last() else { break };
            after = last.row();
            let batch = self.write(due).await?;
            if !batch.written.is_empty() {
                self.store.sidecars_written("", &batch.written).await?;
            }
            outcome.written += batch.written.len() as u64;
            outcome.failed += batch.errors.len() as u64;
            let full = batch.errors.iter().any(|(_, error)| concerns_all(error));
            let first = batch.errors.into_iter().next();
            outcome.error = outcome.error.or(first);
            if full || self.stop.is_cancelled() {
                break;
            }
        }
        Ok(outcome)
    }

    async fn write(&self, due: Vec<DueSidecar>) -> Result<Batch, Failed> {
        let keeper = self.clone();
        let batch = tokio::task::spawn_blocking(move || {
            keeper.root.check_there()?;
            Ok::<_, NotThere>(keeper.write_batch(due))
        })
        .await
        .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
        let now = self.clock.now();
        for (id, to) in &batch.moved {
            let text = format!(
                "something that was not the recording's sidecar stood in its place and was moved to '{to}'"
            );
            tracing::warn!(recording.id = %id, "{text}");
            self.store
                .event(now, "quarantine", Some(*id), &text)
                .await?;
        }
        Ok(batch)
    }

    fn write_batch(&self, due: Vec<DueSidecar>) -> Batch {
        let mut batch = Batch::default();
        let (mut files, mut notes) = (Vec::new(), Vec::new());
        for one in due {
            match self.prepare(&one) {
                Ok((file, quarantined)) => {
                    batch.moved.extend(quarantined.map(|to| (file.id, to)));
                    notes.push(one.written(file.bytes.len() as u64, hash_bytes(&file.bytes)));
                    files.push(file);
                }
                Err(error) => batch.errors.push((one.described.path, error)),
            }
        }
        let results = self.root.write_small(&files);
        for ((file, note), result) in files.into_iter().zip(notes).zip(results) {
            match result {
                Ok(()) => batch.written.push(note),
                Err(error) => batch.errors.push((file.path.to_string(), error)),
            }
        }
        batch
    }

    /// Looks at what is there, and quarantines what was not written here.
    fn prepare(&self, one: &DueSidecar) -> io::Result<(Small, Option<RelativePath>)> {
        let described = &one.described;
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let text = Document::text(described, &self.project_id).map_err(invalid)?;
        let path = RelativePath::parse(&described.path).and_then(|path| path.sidecar());
        let path = path.map_err(|_| io::Error::from(Errno::NAMETOOLONG))?;
        let bytes = text.into_bytes();
        let (mut how, mut moved) = (How::New, None);
        match self.root.read_small(&path, MOST)? {
            Existing::Nothing => {}
            Existing::File(found) if found == bytes => how = How::Keep,
            Existing::File(found) if self.is_ours(one, &found) => how = How::Replace,
            Existing::File(_) | Existing::Else => {
                moved = Some(self.root.quarantine(&path, "unexpected")?);
            }
        }
        let file = Small {
            id: described.id,
            path,
            bytes,
            mode: self.mode,
            how,
        };
        Ok((file, moved))
    }

    /// Whether these bytes are what was written here before. Where that is not known, because the database is a new
    /// one: whether they are a sidecar of the same file.
    fn is_ours(&self, one: &DueSidecar, found: &[u8]) -> bool {
        match &one.written_sha256 {
            Some(sha256) => hash_bytes(found) == *sha256,
            None => Document::read(found, &self.project_id).is_ok_and(|document| {
                let (known, read) = (&one.described, &document.described);
                (known.id, &known.sha256) == (read.id, &read.sha256)
            }),
        }
    }
}

/// Whether an error concerns every sidecar.
fn concerns_all(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::ReadOnlyFilesystem
    )
}
