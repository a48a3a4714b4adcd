//! Is this file a whole recording? A cut download, an error page saved as media and garbage must
//! not be archived, even when every count of bytes agrees. Works on any size in a few KiB of memory.

mod boxes;
mod mp4;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;

use boxes::Reader;

/// Why a file is not a whole recording.
#[derive(Debug, thiserror::Error)]
pub enum BadMedia {
    /// Zero bytes.
    #[error("the file is empty")]
    Empty,
    /// An error page in place of the media.
    #[error("the file looks like {0}, not like media")]
    Page(&'static str),
    /// It does not begin as an MP4 file does.
    #[error("the file does not begin like an MP4 file")]
    NotMp4,
    /// A box that every MP4 file has is not there.
    #[error("box '{0}' is missing")]
    Missing(&'static str),
    /// The file, or the enclosing box, ends before the box does: the usual sign of a cut file.
    #[error("box '{kind}' at byte {at} runs past the end by {by} bytes")]
    PastEnd {
        /// The box's type.
        kind: String,
        /// Where it begins.
        at: u64,
        /// How many bytes are lacking.
        by: u64,
    },
    /// Too few bytes are left for a box.
    #[error("{bytes} stray bytes at byte {at}, too few for a box")]
    Stray {
        /// Where they begin.
        at: u64,
        /// How many they are.
        bytes: u64,
    },
    /// A box with an impossible size, type or content.
    #[error("box '{kind}' at byte {at} is malformed")]
    Malformed {
        /// The box's type.
        kind: String,
        /// Where it begins.
        at: u64,
    },
    /// The index points at media that is not in the file.
    #[error("the index points at byte {at}, but the file ends at byte {len}")]
    ChunkPastEnd {
        /// Where the media should be.
        at: u64,
        /// The file's length.
        len: u64,
    },
    /// More boxes, or boxes deeper within each other, than any recording has.
    #[error("the file has too many boxes")]
    TooManyBoxes,
    /// The file could not be read.
    #[error("could not read the file")]
    Read(#[source] io::Error),
}

/// What a whole file says of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MediaInfo {
    /// Its length; unknown for formats other than MP4 and for some fragmented MP4 files.
    pub duration_seconds: Option<f64>,
    /// Whether its structure alone proves that nothing is lacking at the end, as that of an ordinary MP4
    /// file does. Otherwise that has to be known from counted bytes.
    pub proves_end: bool,
}

/// Checks that the file of `len` bytes is whole, as far as its own structure tells.
///
/// `format` is the MIME type the vendor gave. The vendor's recordings are MP4. For other types, which
/// it does not have today, only empty files and error pages are refused. A file of unknown type has
/// to be MP4 unless it begins like another media file.
///
/// # Errors
/// [`BadMedia`] says what is wrong. [`BadMedia::Read`] is the disk's fault, not the file's.
pub fn check(file: &File, len: u64, format: Option<&str>) -> Result<MediaInfo, BadMedia> {
    if len == 0 {
        return Err(BadMedia::Empty);
    }
    let mut reader = Reader::new(file, len);
    let mut opening = [0; 64];
    let known = usize::try_from(len)
        .unwrap_or(opening.len())
        .min(opening.len());
    let opening = &mut opening[..known];
    reader.read(0, opening)?;
    let begins_as_mp4 = opening.get(4..8).is_some_and(mp4::may_be_first);
    // Only then is a first byte of '<' a page, and not the size of a box of 1 GB.
    if !begins_as_mp4 && let Some(page) = page(opening) {
        return Err(BadMedia::Page(page));
    }
    let must_be_mp4 = match format {
        Some(mime) => is_mp4(mime),
        None => begins_as_mp4 || !is_other_media(opening),
    };
    if !must_be_mp4 {
        return Ok(MediaInfo {
            duration_seconds: None,
            proves_end: false,
        });
    }
    if !begins_as_mp4 {
        return Err(BadMedia::NotMp4);
    }
    mp4::check(&mut reader)
}

/// Whether the length found in the file is near the one the API tells, both in seconds.
///
/// Either may be off honestly: the API rounds to whole seconds, its clock stops at another moment
/// than the last frame, and each pause adds a bit. Cut files are found by their structure; this is
/// to find another recording's file or one that was cut before it was put together. So 5 seconds or
/// 5 %, whichever is more, are near. A length that is unknown, zero or no number fits anything.
#[must_use]
pub fn duration_fits(found: Option<f64>, api: Option<f64>) -> bool {
    let known = |seconds: &f64| seconds.is_finite() && *seconds > 0.0;
    match (found.filter(known), api.filter(known)) {
        (Some(found), Some(api)) => (found - api).abs() <= (api * 0.05).max(5.0),
        _ => true,
    }
}

fn is_mp4(mime: &str) -> bool {
    let mime = mime.split(';').next().unwrap_or_default().trim();
    [
        "video/mp4",
        "audio/mp4",
        "application/mp4",
        "video/quicktime",
        "mp4",
    ]
    .iter()
    .any(|known| mime.eq_ignore_ascii_case(known))
}

/// Matroska/WebM, Ogg, RIFF (WAV, AVI), FLAC, MP3.
fn is_other_media(opening: &[u8]) -> bool {
    [
        &[0x1A, 0x45, 0xDF, 0xA3][..],
        b"OggS",
        b"RIFF",
        b"fLaC",
        b"ID3",
    ]
    .iter()
    .any(|magic| opening.starts_with(magic))
}

/// What page a text opening belongs to.
fn page(opening: &[u8]) -> Option<&'static str> {
    let text = opening.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(opening);
    let text = text.trim_ascii_start().to_ascii_lowercase();
    match text.as_slice() {
        [b'<', b'!', ..] => Some("an HTML page"),
        text if text.starts_with(b"<html") || text.starts_with(b"<head") => Some("an HTML page"),
        [b'<', b'?' | b'a'..=b'z', ..] => Some("an XML document"),
        [b'{' | b'[', rest @ ..] => match rest.trim_ascii_start() {
            [b'"' | b'{' | b'[' | b'}' | b']', ..] => Some("a JSON document"),
            _ => None,
        },
        _ => None,
    }
}

/// The text of a box's type, for messages.
fn kind_text(kind: [u8; 4]) -> String {
    kind.escape_ascii().to_string()
}
