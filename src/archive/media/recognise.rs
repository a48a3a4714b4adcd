//! Recognises the format by a file's first bytes.

use std::fs::File;
use std::io;

use super::kind::MediaKind;
use super::probe::Probe;
use super::{mp4, mpeg_audio, ts};

/// The format of a file with `len` bytes according to the first of them alone: `WebM` shows as Matroska, and all
/// relatives of MP4 as MP4.
///
/// # Errors
/// The disk's.
pub fn recognise_file(file: &File, len: u64) -> io::Result<MediaKind> {
    recognise(&mut Probe::new(file, len))
}

/// The format according to the first bytes. Matroska includes `WebM`, and MP4 its relatives: their own checks
/// distinguish these.
pub(super) fn recognise(probe: &mut Probe<'_>) -> io::Result<MediaKind> {
    let opening = probe.bytes(0, 16)?;
    let by_magic = match opening {
        [0x1A, 0x45, 0xDF, 0xA3, ..] => MediaKind::Matroska,
        [b'O', b'g', b'g', b'S', ..] => MediaKind::Ogg,
        [b'F', b'L', b'V', 1, ..] => MediaKind::Flv,
        [b'f', b'L', b'a', b'C', ..] => MediaKind::Flac,
        [b'R', b'I', b'F', b'F', _, _, _, _, kind @ ..]
        | [b'R', b'F', b'6', b'4', _, _, _, _, kind @ ..]
        | [b'B', b'W', b'6', b'4', _, _, _, _, kind @ ..] => match kind {
            [b'W', b'A', b'V', b'E', ..] => MediaKind::Wav,
            [b'A', b'V', b'I', b' ', ..] => MediaKind::Avi,
            _ => MediaKind::Unknown,
        },
        // Sony's 64-bit relative of WAVE begins with a GUID.
        [b'r', b'i', b'f', b'f', 0x2E, 0x91, 0xCF, 0x11, ..] => MediaKind::Wav,
        [
            b'F',
            b'O',
            b'R',
            b'M',
            _,
            _,
            _,
            _,
            b'A',
            b'I',
            b'F',
            b'F' | b'C',
            ..,
        ] => MediaKind::Aiff,
        [b'c', b'a', b'f', b'f', 0, _, ..] => MediaKind::Caf,
        [b'#', b'!', b'A', b'M', b'R', ..] => MediaKind::Amr,
        [0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11, ..] => MediaKind::Asf,
        [0, 0, 1, 0xBA | 0xB3, ..] => MediaKind::MpegPs,
        _ => MediaKind::Unknown,
    };
    Ok(if by_magic != MediaKind::Unknown {
        by_magic
    } else if mp4::begins(probe)? {
        MediaKind::Mp4
    } else if ts::layout(probe)?.is_some() {
        MediaKind::MpegTs
    } else {
        mpeg_audio::recognise(probe)?
    })
}
