//! The structure of an MP4 file: which boxes must be there, what the movie header and the index say.
//! Whole and fragmented files (ISO/IEC 14496-12, 8.8) both occur.

use super::boxes::{Box, Reader};
use super::{BadMedia, MediaInfo};

/// How deep boxes of interest lie in each other: `moov/trak/mdia/minf/stbl/stco`.
const MAX_DEPTH: u8 = 6;

/// Whether a box of this type can begin an MP4 file or one of its older relatives.
pub(super) fn may_be_first(kind: &[u8]) -> bool {
    matches!(
        kind,
        b"ftyp"
            | b"styp"
            | b"free"
            | b"skip"
            | b"wide"
            | b"moov"
            | b"mdat"
            | b"moof"
            | b"sidx"
            | b"uuid"
            | b"pdin"
            | b"pnot"
            | b"prft"
            | b"emsg"
    )
}

/// What was come across.
#[derive(Default)]
struct Seen {
    moov: bool,
    mdat: bool,
    fragmented: bool,
    /// Units in a second, from `mvhd`; zero: unknown.
    timescale: Option<u32>,
    /// From `mvhd`; `None`: unknown.
    duration: Option<u64>,
    /// From `mehd`, a fragmented file's length as a whole.
    fragments_duration: Option<u64>,
}

/// Walks through the whole file.
///
/// Two kinds can be cut and look whole, so that they don't prove their own end: fragmented files, after
/// any fragment, and files whose last box is of open end, as far as the index does not point there.
pub(super) fn check(reader: &mut Reader<'_>) -> Result<MediaInfo, BadMedia> {
    let mut seen = Seen::default();
    let len = reader.len();
    let mut at = 0;
    let mut open_ended = false;
    while at < len {
        let found = reader.next_box(at, len)?;
        if found.open_ended && &found.kind != b"mdat" {
            return Err(found.malformed());
        }
        open_ended |= found.open_ended;
        match &found.kind {
            b"moov" => {
                seen.moov = true;
                walk(reader, &found, 1, &mut seen)?;
            }
            b"mdat" => seen.mdat = true,
            b"moof" => {
                seen.fragmented = true;
                walk(reader, &found, 1, &mut seen)?;
            }
            _ => {}
        }
        at = found.end;
    }
    for (there, name) in [
        (seen.moov, "moov"),
        (seen.timescale.is_some(), "mvhd"),
        (seen.mdat, "mdat"),
    ] {
        if !there {
            return Err(BadMedia::Missing(name));
        }
    }
    Ok(MediaInfo {
        duration_seconds: seen.seconds(),
        proves_end: !seen.fragmented && !open_ended,
    })
}

impl Seen {
    fn seconds(&self) -> Option<f64> {
        // A fragmented file's `mvhd` tells of the part before the fragments only.
        let units = if self.fragmented {
            self.fragments_duration
        } else {
            self.duration
        };
        let units = units.filter(|&units| units > 0)?;
        let timescale = self.timescale.filter(|&units| units > 0)?;
        #[expect(clippy::cast_precision_loss, reason = "53 bits of units are plenty")]
        Some(units as f64 / f64::from(timescale))
    }
}

/// Looks at the boxes in `parent`: all must lie within it.
fn walk(reader: &mut Reader<'_>, parent: &Box, depth: u8, seen: &mut Seen) -> Result<(), BadMedia> {
    if depth > MAX_DEPTH {
        return Err(BadMedia::TooManyBoxes);
    }
    let mut at = parent.content;
    while at < parent.end {
        let found = reader.next_box(at, parent.end)?;
        if found.open_ended {
            return Err(found.malformed());
        }
        match &found.kind {
            b"trak" | b"mdia" | b"minf" | b"stbl" | b"mvex" | b"traf" => {
                // It announces fragments, whether or not any are left.
                seen.fragmented |= &found.kind == b"mvex";
                walk(reader, &found, depth + 1, seen)?;
            }
            b"mvhd" => movie_header(reader, &found, seen)?,
            b"mehd" => seen.fragments_duration = versioned(reader, &found, 4, 4)?,
            b"stco" => chunk_offsets::<4>(reader, &found)?,
            b"co64" => chunk_offsets::<8>(reader, &found)?,
            _ => {}
        }
        at = found.end;
    }
    Ok(())
}

fn movie_header(reader: &mut Reader<'_>, mvhd: &Box, seen: &mut Seen) -> Result<(), BadMedia> {
    let [version] = reader.field(mvhd, 0)?;
    // After version and flags: two times of 4 or 8 bytes, the time scale, the duration.
    let timescale_at = if version == 1 { 4 + 16 } else { 4 + 8 };
    seen.timescale = Some(u32::from_be_bytes(reader.field(mvhd, timescale_at)?));
    seen.duration = versioned(reader, mvhd, 4 + 8 + 4, 4 + 16 + 4)?;
    Ok(())
}

/// A number of 4 bytes in version 0, of 8 in version 1, at an offset of its own in each. All ones: unknown.
fn versioned(
    reader: &mut Reader<'_>,
    found: &Box,
    at_v0: u64,
    at_v1: u64,
) -> Result<Option<u64>, BadMedia> {
    Ok(match reader.field(found, 0)? {
        [0u8] => Some(u32::from_be_bytes(reader.field(found, at_v0)?))
            .filter(|&units| units != u32::MAX)
            .map(u64::from),
        [1] => {
            Some(u64::from_be_bytes(reader.field(found, at_v1)?)).filter(|&units| units != u64::MAX)
        }
        _ => return Err(found.malformed()),
    })
}

/// Each chunk of media must begin within the file: an index longer than the file betrays a cut.
fn chunk_offsets<const N: usize>(reader: &mut Reader<'_>, table: &Box) -> Result<(), BadMedia> {
    let len = reader.len();
    let count = u64::from(u32::from_be_bytes(reader.field(table, 4)?));
    if 8 + count * N as u64 > table.content_len() {
        return Err(table.malformed());
    }
    for entry in 0..count {
        let bytes: [u8; N] = reader.field(table, 8 + entry * N as u64)?;
        let at = bytes.iter().fold(0, |at, &byte| at << 8 | u64::from(byte));
        if at >= len {
            return Err(BadMedia::ChunkPastEnd { at, len });
        }
    }
    Ok(())
}
