//! Writes a body into its part: chunks are gathered to a batch, then written and hashed in one blocking step
//! while the next is gathered.

use std::io;

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::archive::part::{Batch, Batches, PartFile};
use crate::download::failure::{Cause, Failure};

/// Gathers chunks and writes them on the blocking pool, one batch while the next gathers.
pub(in crate::download) struct Writer {
    batches: Batches,
    gathering: Option<Batch>,
    idle: Option<PartFile>,
    busy: Option<JoinHandle<io::Result<PartFile>>>,
    /// Bytes of the part, those gathered included.
    pub len: u64,
    /// Bytes that came since the last sync.
    pub since_sync: u64,
}

impl Writer {
    pub(in crate::download) fn new(part: PartFile, batches: &Batches) -> Self {
        Self {
            batches: batches.clone(),
            gathering: None,
            len: part.len(),
            idle: Some(part),
            busy: None,
            since_sync: 0,
        }
    }

    pub(in crate::download) async fn push(&mut self, mut chunk: Bytes) -> io::Result<()> {
        self.since_sync += chunk.len() as u64;
        while !chunk.is_empty() {
            let gathering = &mut self.gathering;
            let batch = gathering.get_or_insert_with(|| self.batches.batch(self.len));
            self.len += batch.fill(&mut chunk) as u64;
            if batch.is_full() {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Writes what is gathered: meanwhile, or where too many are already being written meanwhile, first.
    async fn flush(&mut self) -> io::Result<()> {
        let Some(batch) = self.gathering.take() else {
            return Ok(());
        };
        let mut part = self.settled().await?;
        let spare = self.batches.spare();
        let meanwhile = spare.is_some();
        self.busy = Some(tokio::task::spawn_blocking(move || {
            let _spare = spare;
            part.append(&batch)?;
            Ok(part)
        }));
        if !meanwhile {
            self.idle = Some(self.settled().await?);
        }
        Ok(())
    }

    /// The part, once the batch under way is written.
    async fn settled(&mut self) -> io::Result<PartFile> {
        if let Some(busy) = self.busy.take() {
            return busy.await.map_err(io::Error::other)?;
        }
        self.idle
            .take()
            .ok_or_else(|| io::Error::other("the part is no longer open"))
    }

    pub(in crate::download) async fn sync(&mut self) -> io::Result<u64> {
        self.flush().await?;
        let part = blocking(self.settled().await?, PartFile::sync).await?;
        let durable = part.durable();
        self.since_sync = 0;
        self.idle = Some(part);
        Ok(durable)
    }

    pub(in crate::download) async fn finish(mut self) -> io::Result<PartFile> {
        self.flush().await?;
        self.settled().await
    }
}

/// Runs a step on a part on the blocking pool.
pub(in crate::download) async fn blocking(
    mut part: PartFile,
    step: impl FnOnce(&mut PartFile) -> io::Result<()> + Send + 'static,
) -> io::Result<PartFile> {
    tokio::task::spawn_blocking(move || step(&mut part).map(|()| part))
        .await
        .map_err(io::Error::other)?
}

/// The same for a failure to make a part: no other can be made either.
pub(in crate::download) fn disk_or_pause(error: io::Error) -> Failure {
    Failure::Disk(Cause::of("the archive can't be written to", error))
}

/// What a failure of the file system means: full or read-only passes, too large concerns one recording
/// alone, everything else breaks the part.
pub(in crate::download) fn disk(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::PermissionDenied => disk_or_pause(error),
        io::ErrorKind::FileTooLarge => {
            Failure::BrokenPart(Cause::of("the archive can't take so large a file", error))
        }
        _ => Failure::BrokenPart(Cause::of("the part could not be written", error)),
    }
}

/// Runs a step on the blocking pool.
pub(in crate::download) async fn on_disk<T: Send + 'static>(
    step: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(step)
        .await
        .map_err(|error| disk(io::Error::other(error)))?
}
