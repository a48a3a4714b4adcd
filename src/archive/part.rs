//! A part file being written: hashes the bytes while it writes them, and knows how many are durable.
//!
//! Everything here blocks; callers run it on the blocking pool, a [`Batch`] at a time.

mod batch;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::num::NonZeroU64;

use rustix::fs::{Advice, OFlags, fcntl_getfl, fcntl_setfl};
use sha2::{Digest as _, Sha256};

pub use batch::{Batch, Batches};

/// Writeback of the page cache is started after this many bytes, so that fdatasync has little left to do.
const WRITEBACK: u64 = 8 << 20;
/// Bytes read at a time to hash a file.
const READ: usize = 1 << 20;

/// A part file, open for writing at its end.
#[derive(Debug)]
pub struct PartFile {
    file: File,
    hash: Sha256,
    len: u64,
    durable: u64,
    flushed: u64,
    /// Writes bypass the page cache (`O_DIRECT`).
    direct: bool,
    can_direct: bool,
}

impl PartFile {
    /// Continues a part after its first `from` bytes: hashes these again and cuts off the rest, which can't be
    /// trusted after a power cut.
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
            direct: false,
            can_direct: true,
        })
    }

    /// Starts over from byte 0.
    pub fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.hash = Sha256::new();
        (self.len, self.durable, self.flushed) = (0, 0, 0);
        Ok(())
    }

    /// Writes a batch at the end, and hashes it. A full one goes past the page cache where the file system
    /// can do that: 2 GiB then cost 3.6 to 3.9 s of CPU in place of 4.3 to 5.7 s (see `BENCHMARKS.md`), and the
    /// cache is for others.
    ///
    /// # Errors
    /// The file system's; the file may then hold some of the bytes.
    pub fn append(&mut self, batch: &Batch) -> io::Result<()> {
        self.set_direct(batch.is_blocks())?;
        match self.file.write_all(batch.bytes()) {
            Err(error) if self.direct && error.kind() == io::ErrorKind::InvalidInput => {
                // The file system wants blocks larger than BLOCK.
                self.can_direct = false;
                self.set_direct(false)?;
                self.file.seek(SeekFrom::Start(self.len))?;
                self.file.write_all(batch.bytes())?;
            }
            written => written?,
        }
        self.hash.update(batch.bytes());
        self.len += batch.bytes().len() as u64;
        if self.len - self.flushed >= WRITEBACK {
            // On Linux this starts the writeback of dirty pages and drops clean ones. It is only advice, so its
            // failure does not matter.
            let length = NonZeroU64::new(self.len - self.flushed);
            _ = rustix::fs::fadvise(&self.file, self.flushed, length, Advice::DontNeed);
            self.flushed = self.len;
        }
        Ok(())
    }

    /// Turns `O_DIRECT` on or off; it stays off if the file system refuses it.
    fn set_direct(&mut self, wanted: bool) -> io::Result<()> {
        let wanted = wanted && self.can_direct;
        if wanted == self.direct {
            return Ok(());
        }
        let mut flags = fcntl_getfl(&self.file)?;
        flags.set(OFlags::DIRECT, wanted);
        match fcntl_setfl(&self.file, flags) {
            Ok(()) => self.direct = wanted,
            Err(_) if wanted => self.can_direct = false,
            Err(error) => return Err(error.into()),
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
    ///
    /// # Errors
    /// The system's, if `O_DIRECT` can't be turned off for reading.
    pub fn finish(mut self) -> io::Result<(File, u64, String)> {
        self.set_direct(false)?;
        Ok((self.file, self.len, hex(self.hash)))
    }

    /// The SHA-256 of what was written so far, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex(self.hash.clone())
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

/// Reads a whole file and returns its length and SHA-256. `on_read` gets the number of bytes of each read; if it
/// returns false, reading ends.
///
/// # Errors
/// The file system's; `Interrupted`, if `on_read` ended it.
pub fn hash_file(
    mut file: &File,
    mut on_read: impl FnMut(u64) -> bool,
) -> io::Result<(u64, String)> {
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
        if !on_read(read as u64) {
            return Err(io::ErrorKind::Interrupted.into());
        }
    }
    _ = rustix::fs::fadvise(file, 0, None, Advice::DontNeed);
    Ok((len, hex(hash)))
}

/// The SHA-256 of some bytes in hexadecimal.
#[must_use]
pub fn hash_bytes(bytes: &[u8]) -> String {
    hex(Sha256::new().chain_update(bytes))
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
