//! The boxes of an MP4 file (ISO/IEC 14496-12, 4.2). No size in a file is trusted: each is compared with the
//! enclosing box.

use std::io;

use super::super::probe::{Probe, big_endian};

/// A box: its type and the position of its content.
#[derive(Debug, Clone, Copy)]
pub(super) struct Atom {
    pub(super) kind: [u8; 4],
    /// Where its header begins.
    pub(super) at: u64,
    pub(super) content: u64,
    /// Its declared end, which may be far beyond the end of the file.
    pub(super) end: u64,
    /// It declares no size, and ends with the enclosing box.
    pub(super) open_ended: bool,
}

/// What was found where a box may begin.
pub(super) enum Header {
    Atom(Atom),
    /// Eight zero bytes, which end some lists of `QuickTime`.
    Terminator,
    /// Too few bytes for a header, or an impossible size or type.
    Stray,
}

impl Atom {
    pub(super) fn name(&self) -> String {
        self.kind.escape_ascii().to_string()
    }

    pub(super) fn content_len(&self) -> u64 {
        self.end.saturating_sub(self.content)
    }

    fn number<const N: usize>(&self, probe: &mut Probe<'_>, offset: u64) -> io::Result<u64> {
        if offset.saturating_add(N as u64) > self.content_len() {
            return Ok(0);
        }
        let bytes = probe.array::<N>(self.content + offset)?;
        let bytes = bytes.unwrap_or([0; N]);
        Ok(big_endian(&bytes))
    }

    /// The byte at an offset of the content; zero if the box is shorter. So are the methods below.
    pub(super) fn u8(&self, probe: &mut Probe<'_>, offset: u64) -> io::Result<u64> {
        self.number::<1>(probe, offset)
    }

    pub(super) fn u16(&self, probe: &mut Probe<'_>, offset: u64) -> io::Result<u64> {
        self.number::<2>(probe, offset)
    }

    pub(super) fn u32(&self, probe: &mut Probe<'_>, offset: u64) -> io::Result<u32> {
        let number = self.number::<4>(probe, offset)?;
        Ok(u32::try_from(number).unwrap_or_default())
    }

    pub(super) fn u64(&self, probe: &mut Probe<'_>, offset: u64) -> io::Result<u64> {
        self.number::<8>(probe, offset)
    }

    /// A duration of 4 bytes in version 0 and 8 in version 1, at the offset for the version. `None`: unknown (all
    /// ones) or zero.
    pub(super) fn units(&self, probe: &mut Probe<'_>, at: [u64; 2]) -> io::Result<Option<u64>> {
        let (units, unknown) = match self.u8(probe, 0)? {
            1 => (self.u64(probe, at[1])?, u64::MAX),
            _ => (self.u32(probe, at[0])?.into(), u32::MAX.into()),
        };
        Ok(Some(units).filter(|&units| units != 0 && units != unknown))
    }

    /// The number of entries of a table: `declared`, if they fit after `offset`.
    pub(super) fn entries(
        &self,
        probe: &mut Probe<'_>,
        declared: u32,
        offset: u64,
        bits: u64,
    ) -> u64 {
        let fit = self.content_len().saturating_sub(offset).saturating_mul(8) / bits.max(1);
        if u64::from(declared) > fit {
            probe.broken(|| {
                format!(
                    "box '{}' at byte {} is too short for its table",
                    self.name(),
                    self.at
                )
            });
        }
        fit.min(declared.into())
    }
}

/// Reads the header at `at`, in a box or file that ends at `limit`.
pub(super) fn header(probe: &mut Probe<'_>, at: u64, limit: u64) -> io::Result<Header> {
    let left = limit.saturating_sub(at);
    let Some(head) = probe.array::<8>(at)?.filter(|_| left >= 8) else {
        return Ok(Header::Stray);
    };
    let [a, b, c, d, kind @ ..] = head;
    if head == [0; 8] {
        return Ok(Header::Terminator);
    }
    let (size, header_len) = match u32::from_be_bytes([a, b, c, d]) {
        0 => (left, 8),
        1 => match probe.array(at + 8)?.filter(|_| left >= 16) {
            Some(size) => (u64::from_be_bytes(size), 16),
            // The file is cut within the header.
            None => (16, 16),
        },
        size => (u64::from(size), 8),
    };
    // A type has four printable characters; Apple's may begin with a copyright sign. Others count only if the box
    // declares an end that fits.
    let open_ended = [a, b, c, d] == [0; 4];
    let printable = |&byte: &u8| byte == 0xA9 || (0x20..0x7F).contains(&byte);
    let believed = size <= left && !open_ended || kind.iter().all(printable);
    if size < header_len || !believed {
        return Ok(Header::Stray);
    }
    Ok(Header::Atom(Atom {
        kind,
        at,
        content: at + header_len,
        end: at.saturating_add(size),
        open_ended,
    }))
}

/// The boxes in a box, one after the other. Skips what players skip: a terminator, padding, and a box that claims to
/// be longer than the enclosing one.
pub(super) struct Children {
    at: u64,
    end: u64,
}

impl Children {
    pub(super) fn of(parent: &Atom) -> Self {
        Self::between(parent.content, parent.end)
    }

    pub(super) fn between(at: u64, end: u64) -> Self {
        Self { at, end }
    }

    pub(super) fn next(&mut self, probe: &mut Probe<'_>) -> io::Result<Option<Atom>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let (at, end) = (self.at, self.end);
        self.at = end;
        match header(probe, at, end)? {
            Header::Atom(mut atom) => {
                if atom.end > end {
                    let detail = || format!("box '{}' at byte {at} runs past the end", atom.name());
                    // The end of the file, or only of the enclosing box.
                    if end == probe.len() {
                        probe.cut(detail);
                    } else {
                        probe.odd(|| detail() + " of the box around it");
                    }
                }
                atom.end = atom.end.min(end);
                self.at = atom.end;
                Ok(Some(atom))
            }
            Header::Terminator => Ok(None),
            Header::Stray => {
                let left = usize::try_from(end - at).unwrap_or(4).min(4);
                if probe.bytes(at, left)?.iter().any(|&byte| byte != 0) {
                    probe.odd(|| format!("the bytes at {at} are no box"));
                }
                Ok(None)
            }
        }
    }
}
