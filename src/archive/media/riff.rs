//! Files of sized chunks: WAVE and AVI with their 64-bit relatives, and AIFF. Programs that write into a pipe leave
//! sizes at zero or all ones; other sizes must fit.

use std::io;

use super::probe::{Probe, seconds};
use crate::human::count;

/// How a file's sizes are written.
#[derive(Clone, Copy, PartialEq)]
enum Layout {
    /// Four bytes, little-endian.
    Little,
    /// Four bytes, big-endian.
    Big,
    /// Sony's: names of 16 bytes, sizes of 8 bytes that include the header.
    Wide,
}

/// A chunk's name, where its content begins, and how long that is; `None`: not known.
struct Chunk {
    name: [u8; 4],
    content: u64,
    size: Option<u64>,
}

impl Layout {
    fn chunk(self, probe: &mut Probe<'_>, at: u64) -> io::Result<Option<Chunk>> {
        let Some(name) = probe.array::<4>(at)? else {
            return Ok(None);
        };
        let (head, size) = match self {
            Self::Little => (
                8,
                probe
                    .array(at + 4)?
                    .map(|size| u32::from_le_bytes(size).into()),
            ),
            Self::Big => (
                8,
                probe
                    .array(at + 4)?
                    .map(|size| u32::from_be_bytes(size).into()),
            ),
            Self::Wide => {
                let size = probe.array(at + 16)?.map(u64::from_le_bytes);
                (24, size.map(|size| size.saturating_sub(24)))
            }
        };
        // Placeholders: zero, or about as much as a signed or unsigned number can hold.
        let is_known = |&size: &u64| {
            !matches!(size, 0 | 0x7FFF_F000..=0x7FFF_FFFF | 0xFFFF_0000..=0xFFFF_FFFF)
                && size < 1 << 62
        };
        Ok(size.map(|size| Chunk {
            name,
            content: at + head,
            size: Some(size).filter(is_known),
        }))
    }

    /// Where the next chunk begins.
    fn padded(self, end: u64) -> u64 {
        let to = if self == Self::Wide { 8 } else { 2 };
        end.checked_next_multiple_of(to).unwrap_or(u64::MAX)
    }
}

/// Examines a file of chunks.
pub(super) fn check(probe: &mut Probe<'_>) -> io::Result<()> {
    match &probe.array::<4>(0)?.unwrap_or_default() {
        b"RIFF" if probe.array::<4>(8)? == Some(*b"AVI ") => avi(probe),
        b"FORM" => wave(probe, Layout::Big, 12),
        b"riff" => wave(probe, Layout::Wide, 40),
        _ => wave(probe, Layout::Little, 12),
    }
}

/// Checks a file with one chunk of sound, after one that describes it.
fn wave(probe: &mut Probe<'_>, layout: Layout, first: u64) -> io::Result<()> {
    let len = probe.len();
    let mut at = first;
    // Bytes per second, and the size of the sound if it has 64 bits.
    let (mut rate, mut long_size) = (0, None);
    while let Some(chunk) = layout.chunk(probe, at)? {
        let size = match &chunk.name {
            b"data" | b"SSND" => chunk.size.or(long_size),
            _ => chunk.size.or(Some(0)),
        };
        let end = size.map(|size| chunk.content.saturating_add(size));
        match &chunk.name {
            b"fmt " => {
                let [a, b, _, _, _, _, _, _, bytes @ ..] =
                    probe.array::<12>(chunk.content)?.unwrap_or_default();
                // The rate is exact for PCM and similar formats; for others it is an estimate.
                if matches!(u16::from_le_bytes([a, b]), 1 | 3 | 6 | 7 | 0xFFFE) {
                    rate = u32::from_le_bytes(bytes).into();
                }
            }
            b"ds64" => long_size = probe.array(chunk.content + 8)?.map(u64::from_le_bytes),
            b"data" | b"SSND" => {
                let there = end.unwrap_or(len).min(len).saturating_sub(chunk.content);
                probe.findings.add_duration(seconds(there, rate));
                probe.findings.proves_end = end.is_some_and(|end| end <= len);
            }
            _ => {}
        }
        let Some(end) = end else {
            return Ok(());
        };
        if end > len {
            let by = count(end - len, "byte");
            probe.cut(|| format!("a chunk runs past the end by {by}"));
            probe.findings.proves_end = false;
            return Ok(());
        }
        at = layout.padded(end);
    }
    Ok(())
}

/// Checks lists of chunks, one after the other, of about a gigabyte each.
fn avi(probe: &mut Probe<'_>) -> io::Result<()> {
    let len = probe.len();
    let mut at = 0;
    while let Some(chunk) = Layout::Little.chunk(probe, at)?
        && &chunk.name == b"RIFF"
        && let Some(size) = chunk.size
    {
        let end = chunk.content.saturating_add(size);
        if end > len {
            let by = count(end - len, "byte");
            probe.cut(|| format!("a list of chunks runs past the end by {by}"));
            return Ok(());
        }
        if at == 0 {
            avi_duration(probe, end)?;
        }
        at = Layout::Little.padded(end);
    }
    Ok(())
}

/// Reads the duration from the headers of the streams, in the list `hdrl`.
fn avi_duration(probe: &mut Probe<'_>, end: u64) -> io::Result<()> {
    let mut at = 12;
    let mut longest = 0.0;
    while at < end
        && let Some(chunk) = Layout::Little.chunk(probe, at)?
    {
        let size = chunk.size.unwrap_or_default();
        match (&chunk.name, probe.array::<4>(chunk.content)?) {
            (b"LIST", Some([b'h', b'd', b'r', b'l'] | [b's', b't', b'r', b'l'])) => {
                at = chunk.content + 4;
                continue;
            }
            (b"LIST", Some([b'm', b'o', b'v', b'i'])) => break,
            (b"strh", _) => {
                let mut number = |offset| -> io::Result<u64> {
                    let bytes = probe.array(chunk.content + offset)?;
                    Ok(u32::from_le_bytes(bytes.unwrap_or_default()).into())
                };
                let (scale, rate, length) = (number(20)?, number(24)?, number(32)?);
                let lasts = seconds(scale.saturating_mul(length), rate);
                if lasts.is_finite() {
                    longest = lasts.max(longest);
                }
            }
            _ => {}
        }
        at = Layout::Little.padded(chunk.content.saturating_add(size));
    }
    probe.findings.add_duration(longest);
    Ok(())
}
