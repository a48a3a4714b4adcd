//! A part file being written: bytes are hashed as they are written, and what is durable is known.
//!
//! Everything here blocks; callers run it on the blocking pool, a batch of about a MiB at a time.

use std::fs::File;
use std::io::{self, IoSlice, Read as _, Seek as _, SeekFrom, Write as _};
use std::num::NonZeroU64;

use bytes::Bytes;
use rustix::fs::Advice;
use sha2::{Digest as _, Sha256};

/// Writeback is started each time this much has been written, so that fdatasync finds little to do.
const WRITEBACK: u64 = 8 << 20;
/// How much is read at a time when a prefix is hashed again.
const READ: usize = 1 << 20;

/// A part file, open for writing at its end.
#[derive(Debug)]
pub struct PartFile {
    file: File,
    hash: Sha256,
    len: u64,
    durable: u64,
    flushed: u64,
}

impl PartFile {
    /// Goes on with a part after its first `from` bytes: the rest is cut off, and what is kept is read
    /// again into the hash. The tail of a part is not trustworthy after a power cut.
    ///
    /// # Errors
    /// The file system's; also if the file is shorter than `from`.
    pub fn resume(mut file: File, from: u64) -> io::Result<Self> {
        file.set_len(from)?;
        file.seek(SeekFrom::Start(0))?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; usize::try_from(from).unwrap_or(READ).min(READ)];
        let mut left = from;
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(READ).min(READ);
            file.read_exact(&mut buffer[..want])?;
            hash.update(&buffer[..want]);
            left -= want as u64;
        }
        Ok(Self {
            file,
            hash,
            len: from,
            durable: from,
            flushed: from,
        })
    }

    /// Starts over from byte 0.
    ///
    /// # Errors
    /// The file system's.
    pub fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.hash = Sha256::new();
        (self.len, self.durable, self.flushed) = (0, 0, 0);
        Ok(())
    }

    /// Writes chunks at the end, uncopied, and hashes them.
    ///
    /// # Errors
    /// The file system's; the file may then hold some of the bytes.
    pub fn append(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
        let mut slices = slices.as_mut_slice();
        while !slices.is_empty() {
            // The kernel takes 1024 slices at the most.
            let most = slices.len().min(1024);
            match self.file.write_vectored(&slices[..most]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut slices, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        for chunk in chunks {
            self.hash.update(chunk);
            self.len += chunk.len() as u64;
        }
        if self.len - self.flushed >= WRITEBACK {
            // On Linux this starts writing dirty pages back, and drops clean ones: the page cache is
            // for others. Only advice: its failure means nothing.
            let length = NonZeroU64::new(self.len - self.flushed);
            _ = rustix::fs::fadvise(&self.file, self.flushed, length, Advice::DontNeed);
            self.flushed = self.len;
        }
        Ok(())
    }

    /// Makes every byte written so far durable.
    ///
    /// # Errors
    /// The device's. What is in the file is then unknown: never call it again, discard the part
    /// (after a failed fsync the kernel may drop the pages and report success the next time).
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.durable = self.len;
        Ok(())
    }

    /// The file, its length and its SHA-256 in hexadecimal. The landing makes it durable.
    #[must_use]
    pub fn finish(self) -> (File, u64, String) {
        (self.file, self.len, hex(self.hash))
    }

    /// Bytes written.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes known to be durable.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.durable
    }
}

/// Reads a whole file and tells its length and SHA-256. `paid` hears of each MiB, and may end it by
/// answering false.
///
/// # Errors
/// The file system's; `Interrupted`, if `paid` ended it.
pub fn hash_file(mut file: &File, mut paid: impl FnMut(u64) -> bool) -> io::Result<(u64, String)> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; READ];
    let mut len = 0;
    file.seek(SeekFrom::Start(0))?;
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&buffer[..read]);
        len += read as u64;
        if !paid(read as u64) {
            return Err(io::ErrorKind::Interrupted.into());
        }
    }
    _ = rustix::fs::fadvise(file, 0, None, Advice::DontNeed);
    Ok((len, hex(hash)))
}

fn hex(hash: Sha256) -> String {
    use std::fmt::Write as _;
    hash.finalize()
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            _ = write!(text, "{byte:02x}");
            text
        })
}
