//! The local file of a copy: read once, part by part, and hashed as it is read.

use std::fs::File;
use std::io::{self, Read as _};
use std::num::NonZeroU64;
use std::sync::Arc;

use bytes::Bytes;
use object_store::PutPayload;
use rustix::fs::{Advice, fadvise};
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

use super::buffers::{Buffers, READ};
use crate::archive::paths::RelativePath;
use crate::archive::root::Root;

/// A file of the archive that is being read.
pub(super) struct Source {
    file: File,
    hash: Sha256,
    read: u64,
    left: u64,
    buffers: Buffers,
}

/// Why a file can't be copied.
#[derive(Debug)]
pub(super) enum SourceError {
    /// It is not what was archived: `missing` or `altered`.
    Damaged(&'static str),
    /// It could not be read. It may be intact.
    Unreadable(io::Error),
}

impl From<io::Error> for SourceError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Damaged("missing"),
            io::ErrorKind::UnexpectedEof => Self::Damaged("altered"),
            _ => Self::Unreadable(error),
        }
    }
}

impl Source {
    /// Opens the file at `path`, which has this length.
    pub(super) async fn open(
        root: Arc<Root>,
        path: &str,
        bytes: u64,
        buffers: &Buffers,
    ) -> Result<Self, SourceError> {
        let buffers = buffers.clone();
        let path = path.to_owned();
        blocking(move || {
            let path = RelativePath::parse(&path).map_err(io::Error::other)?;
            let file = root.open_file(&path)?;
            if file.metadata()?.len() != bytes {
                return Err(SourceError::Damaged("altered"));
            }
            Ok(Self {
                file,
                hash: Sha256::new(),
                read: 0,
                left: bytes,
                buffers,
            })
        })
        .await
    }

    /// Reads the next part.
    pub(super) async fn part(self, bytes: u64) -> Result<(Self, PutPayload), SourceError> {
        self.read(bytes, true).await
    }

    /// Reads over a part that the store has: it is only hashed.
    pub(super) async fn pass(self, bytes: u64) -> Result<Self, SourceError> {
        let (source, _) = self.read(bytes, false).await?;
        Ok(source)
    }

    async fn read(mut self, bytes: u64, keep: bool) -> Result<(Self, PutPayload), SourceError> {
        blocking(move || {
            let all = bytes.min(self.left);
            let mut left = all;
            let mut chunks: Vec<Bytes> = Vec::new();
            while left > 0 {
                let length = usize::try_from(left).map_or(READ, |left| left.min(READ));
                let mut buffer = self.buffers.take(length);
                self.file.read_exact(buffer.bytes())?;
                self.hash.update(&buffer);
                left -= length as u64;
                if keep {
                    chunks.push(Bytes::from_owner(buffer));
                }
            }
            // It is not needed again, and the system has not to find other memory for what is read next.
            _ = fadvise(
                &self.file,
                self.read,
                NonZeroU64::new(all),
                Advice::DontNeed,
            );
            self.read += all;
            self.left -= all;
            Ok((self, chunks.into_iter().collect()))
        })
        .await
    }

    /// Bytes that were not read yet.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Whether all was read, and its hash is this one.
    pub(super) fn agrees(self, sha256: &str) -> bool {
        self.left == 0 && hex(self.hash) == sha256
    }
}

/// The hexadecimal form of a hash.
pub(super) fn hex(hash: Sha256) -> String {
    use std::fmt::Write as _;
    let bytes = hash.finalize();
    bytes
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            _ = write!(text, "{byte:02x}");
            text
        })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => Err(SourceError::Unreadable(io::Error::other(error))),
    }
}
