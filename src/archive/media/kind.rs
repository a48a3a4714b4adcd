//! The formats that are recognised by their first bytes.

use std::fmt;
use std::io;

use super::probe::Probe;
use super::{mp4, mpeg_audio, ts};

/// A format, by the bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// ISO base media, MPEG-4.
    Mp4,
    /// MPEG-4 by a brand for audio alone.
    M4a,
    /// `QuickTime`: MP4's forerunner, of the same structure.
    QuickTime,
    /// Mobile phones' relative of MP4, of the same structure.
    ThreeGp,
    /// Matroska, restricted to the Web's codecs.
    WebM,
    /// Matroska.
    Matroska,
    /// Ogg, with any codec.
    Ogg,
    /// MPEG audio, layers I to III.
    Mp3,
    /// AAC in ADTS or LATM frames.
    Aac,
    /// MPEG transport stream, of 188, 192 or 204 bytes a packet.
    MpegTs,
    /// MPEG program stream.
    MpegPs,
    /// Flash video.
    Flv,
    /// WAVE audio, its 64-bit relatives included.
    Wav,
    /// Audio/video interleave.
    Avi,
    /// FLAC outside of a container.
    Flac,
    /// AIFF audio.
    Aiff,
    /// Apple's core audio format.
    Caf,
    /// AMR speech.
    Amr,
    /// Windows media.
    Asf,
    /// None of these.
    Unknown,
}

impl MediaKind {
    /// The extension of its files' names; none for an unknown format.
    #[must_use]
    pub fn extension(self) -> Option<&'static str> {
        Some(match self {
            Self::Mp4 => "mp4",
            Self::M4a => "m4a",
            Self::QuickTime => "mov",
            Self::ThreeGp => "3gp",
            Self::WebM => "webm",
            Self::Matroska => "mkv",
            Self::Ogg => "ogg",
            Self::Mp3 => "mp3",
            Self::Aac => "aac",
            Self::MpegTs => "ts",
            Self::MpegPs => "mpg",
            Self::Flv => "flv",
            Self::Wav => "wav",
            Self::Avi => "avi",
            Self::Flac => "flac",
            Self::Aiff => "aiff",
            Self::Caf => "caf",
            Self::Amr => "amr",
            Self::Asf => "wmv",
            Self::Unknown => return None,
        })
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Mp4 | Self::M4a => "MP4",
            Self::QuickTime => "QuickTime",
            Self::ThreeGp => "3GP",
            Self::WebM => "WebM",
            Self::Matroska => "Matroska",
            Self::Ogg => "Ogg",
            Self::Mp3 => "MPEG audio",
            Self::Aac => "AAC",
            Self::MpegTs => "an MPEG transport stream",
            Self::MpegPs => "an MPEG program stream",
            Self::Flv => "FLV",
            Self::Wav => "WAV",
            Self::Avi => "AVI",
            Self::Flac => "FLAC",
            Self::Aiff => "AIFF",
            Self::Caf => "CAF",
            Self::Amr => "AMR",
            Self::Asf => "Windows media",
            Self::Unknown => "of no known media format",
        })
    }
}

/// The format the first bytes show. Matroska stands for `WebM` too, and MP4 for its relatives: their own checks
/// distinguish them.
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

/// FLAC says how long it lasts in its first block. A cut does not show without decoding it all.
pub(super) fn flac_duration(probe: &mut Probe<'_>) -> io::Result<()> {
    // After the magic and the block's header: two block sizes, two frame sizes; then 20 bits of sample rate,
    // 8 bits of format, 36 bits of samples.
    if let Some(numbers) = probe.array::<8>(18)? {
        let numbers = u64::from_be_bytes(numbers);
        let (rate, samples) = (numbers >> 44, numbers & 0xF_FFFF_FFFF);
        probe.findings.lasts(seconds(samples, rate));
    }
    Ok(())
}

/// `units` of which there are `rate` in a second; no number, if there are none.
#[expect(clippy::cast_precision_loss, reason = "53 bits of units are plenty")]
pub(super) fn seconds(units: u64, rate: u64) -> f64 {
    units as f64 / rate as f64
}
