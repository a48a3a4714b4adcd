//! Reads the boxes an MP4 file is made of (ISO/IEC 14496-12, 4.2), at any offset through one small
//! buffer. Nothing in a file is believed: every size is checked against what encloses the box.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::{BadMedia, kind_text};

/// Room for many box headers or index entries a read.
const BUFFER: usize = 8192;

/// The most boxes looked at. A day in fragments of a second has 200,000; reading as many headers takes
/// a moment.
const MAX_BOXES: u32 = 2_000_000;

/// A file of known length, read through a small buffer.
pub(super) struct Reader<'a> {
    file: &'a File,
    len: u64,
    buffer: [u8; BUFFER],
    /// Which bytes of the file the buffer holds.
    start: u64,
    held: usize,
    boxes: u32,
}

/// A box: its type and where its content lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Box {
    pub(super) kind: [u8; 4],
    /// Where its header begins.
    pub(super) at: u64,
    pub(super) content: u64,
    pub(super) end: u64,
    /// It declares no size and goes on to the end of the file.
    pub(super) open_ended: bool,
}

impl Box {
    pub(super) fn malformed(&self) -> BadMedia {
        BadMedia::Malformed {
            kind: kind_text(self.kind),
            at: self.at,
        }
    }

    pub(super) fn content_len(&self) -> u64 {
        self.end - self.content
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a File, len: u64) -> Self {
        Self {
            file,
            len,
            buffer: [0; BUFFER],
            start: 0,
            held: 0,
            boxes: 0,
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// How many boxes were looked at.
    #[cfg(test)]
    pub(super) fn boxes_seen(&self) -> u32 {
        self.boxes
    }

    /// Fills `out` (at most [`BUFFER`] bytes) from `at`; the caller has checked that it lies in the file.
    pub(super) fn read(&mut self, at: u64, out: &mut [u8]) -> Result<(), BadMedia> {
        let held = at
            .checked_sub(self.start)
            .and_then(|skip| usize::try_from(skip).ok())
            .and_then(|skip| self.buffer[..self.held].get(skip..)?.get(..out.len()));
        if let Some(bytes) = held {
            out.copy_from_slice(bytes);
            return Ok(());
        }
        self.fill(at).map_err(BadMedia::Read)?;
        let bytes = self.buffer[..self.held].get(..out.len());
        // The file is shorter than the caller counted: it was changed meanwhile.
        let bytes = bytes.ok_or_else(|| BadMedia::Read(io::ErrorKind::UnexpectedEof.into()))?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn fill(&mut self, at: u64) -> io::Result<()> {
        (self.start, self.held) = (at, 0);
        while self.held < BUFFER {
            let offset = at.saturating_add(self.held as u64);
            match self.file.read_at(&mut self.buffer[self.held..], offset) {
                Ok(0) => break,
                Ok(n) => self.held += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// `N` bytes of a box's content, from `offset` on.
    pub(super) fn field<const N: usize>(
        &mut self,
        parent: &Box,
        offset: u64,
    ) -> Result<[u8; N], BadMedia> {
        if offset.saturating_add(N as u64) > parent.content_len() {
            return Err(parent.malformed());
        }
        let mut bytes = [0; N];
        self.read(parent.content + offset, &mut bytes)?;
        Ok(bytes)
    }

    /// The box that begins at `at` and must end by `limit`.
    pub(super) fn next_box(&mut self, at: u64, limit: u64) -> Result<Box, BadMedia> {
        self.boxes += 1;
        if self.boxes > MAX_BOXES {
            return Err(BadMedia::TooManyBoxes);
        }
        let left = limit - at;
        if left < 8 {
            return Err(BadMedia::Stray { at, bytes: left });
        }
        let mut header = [0; 8];
        self.read(at, &mut header)?;
        let [a, b, c, d, kind @ ..] = header;
        let past_end = |by| BadMedia::PastEnd {
            kind: kind_text(kind),
            at,
            by,
        };
        let (size, header_len) = match u32::from_be_bytes([a, b, c, d]) {
            0 => (left, 8),
            1 if left < 16 => return Err(past_end(16 - left)),
            1 => {
                let mut size = [0; 8];
                self.read(at + 8, &mut size)?;
                (u64::from_be_bytes(size), 16)
            }
            size => (u64::from(size), 8),
        };
        let found = Box {
            kind,
            at,
            content: at + header_len,
            end: at.saturating_add(size),
            open_ended: [a, b, c, d] == [0; 4],
        };
        // A type is four printable characters; Apple's own may begin with a copyright sign.
        let printable = |&byte: &u8| byte == 0xA9 || (0x20..0x7F).contains(&byte);
        if size < header_len || !kind.iter().all(printable) {
            return Err(found.malformed());
        }
        if size > left {
            return Err(past_end(size - left));
        }
        Ok(found)
    }
}
