//! Writes a body into its part: chunks are gathered uncopied to some hundred KiB, then hashed and written in
//! one blocking step while the next gather. Two batches are in flight at the most.

use std::io;
use std::mem;

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::retry::Failure;
use crate::archive::part::PartFile;

/// Chunks are gathered up to this before they are written.
const BATCH: usize = 256 << 10;

/// Gathers chunks and writes them on the blocking pool, one batch while the next gathers.
pub(super) struct Writer {
    idle: Option<PartFile>,
    busy: Option<JoinHandle<(PartFile, io::Result<()>)>>,
    gathered: Vec<Bytes>,
    bytes: usize,
    /// Bytes of the part, those gathered included.
    pub len: u64,
    /// Bytes that came since the last sync.
    pub since_sync: u64,
}

impl Writer {
    pub(super) fn new(part: PartFile) -> Self {
        Self {
            len: part.len(),
            idle: Some(part),
            busy: None,
            gathered: Vec::new(),
            bytes: 0,
            since_sync: 0,
        }
    }

    pub(super) async fn push(&mut self, chunk: Bytes) -> io::Result<()> {
        self.bytes += chunk.len();
        self.len += chunk.len() as u64;
        self.since_sync += chunk.len() as u64;
        self.gathered.push(chunk);
        if self.bytes >= BATCH {
            self.flush().await
        } else {
            Ok(())
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        let mut part = self.settled().await?;
        let chunks = mem::take(&mut self.gathered);
        self.bytes = 0;
        self.busy = Some(tokio::task::spawn_blocking(move || {
            let written = part.append(&chunks);
            (part, written)
        }));
        Ok(())
    }

    /// The part, once the batch under way is written.
    async fn settled(&mut self) -> io::Result<PartFile> {
        if let Some(busy) = self.busy.take() {
            let (part, written) = busy.await.map_err(io::Error::other)?;
            written?;
            return Ok(part);
        }
        self.idle
            .take()
            .ok_or_else(|| io::Error::other("the part is no longer open"))
    }

    pub(super) async fn sync(&mut self) -> io::Result<u64> {
        self.flush().await?;
        let part = blocking(self.settled().await?, PartFile::sync).await?;
        let durable = part.durable();
        self.since_sync = 0;
        self.idle = Some(part);
        Ok(durable)
    }

    pub(super) async fn finish(mut self) -> io::Result<PartFile> {
        self.flush().await?;
        self.settled().await
    }
}

/// Runs a step on a part on the blocking pool.
pub(super) async fn blocking(
    mut part: PartFile,
    step: impl FnOnce(&mut PartFile) -> io::Result<()> + Send + 'static,
) -> io::Result<PartFile> {
    tokio::task::spawn_blocking(move || step(&mut part).map(|()| part))
        .await
        .map_err(io::Error::other)?
}

/// What a failure of the file system means: full or read-only passes, too large concerns one recording
/// alone, everything else breaks the part.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn disk(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::PermissionDenied => {
            Failure::Disk(format!("the archive can't be written to: {error}"))
        }
        io::ErrorKind::FileTooLarge => {
            Failure::PutOff(format!("the archive can't take so large a file: {error}"))
        }
        _ => Failure::BrokenPart(format!("the part could not be written: {error}")),
    }
}
