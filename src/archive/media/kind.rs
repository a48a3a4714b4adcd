//! The formats that are recognised by their first bytes.

use std::fmt;

/// A format, by the bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// ISO base media, MPEG-4.
    Mp4,
    /// MPEG-4 with a brand for audio only.
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
    /// No known format.
    Unknown,
}

impl MediaKind {
    /// The extension of file names; `None` for an unknown format.
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
