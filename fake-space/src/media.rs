//! The files behind the links: small real MP4s, generated ones of any size, and damaged ones.
//! A file is a list of parts, so that any range can be read without holding the file in memory.

mod mp4;

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use sha2::{Digest, Sha256};

pub use mp4::Generated;

use crate::dice::Dice;
use crate::hex::hex;

/// One file; cheap to clone.
#[derive(Clone)]
pub struct Media(Arc<Inner>);

struct Inner {
    parts: Vec<Part>,
    len: u64,
    duration_s: f64,
    content_type: &'static str,
    etag: String,
}

#[derive(Clone)]
enum Part {
    Bytes(Bytes),
    /// `len` bytes of the shared block, repeated, from `offset` on.
    Noise {
        offset: u64,
        len: u64,
    },
}

/// A real video, made with ffmpeg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fixture {
    /// One second, with `moov` before `mdat` (*fast start*).
    OneSecondFastStart,
    /// Three seconds, with `moov` at the end.
    ThreeSeconds,
    /// Two seconds with sound, `moov` at the end.
    AudioVideo,
}

/// Length of the shared block of noise. Prime, so that bytes joined at a wrong offset change the digest.
const BLOCK: usize = 1_048_583;

fn block() -> &'static Bytes {
    static NOISE: OnceLock<Bytes> = OnceLock::new();
    NOISE.get_or_init(|| {
        let mut dice = Dice::new(0);
        let words = (0..=BLOCK / 8).flat_map(|_| dice.bits().to_le_bytes());
        words.take(BLOCK).collect()
    })
}

impl Media {
    /// One of the real videos.
    #[must_use]
    pub fn fixture(fixture: Fixture) -> Self {
        let (bytes, duration_s): (&[u8], _) = match fixture {
            Fixture::OneSecondFastStart => {
                (include_bytes!("../fixtures/one-second-faststart.mp4"), 1.0)
            }
            Fixture::ThreeSeconds => (include_bytes!("../fixtures/three-seconds.mp4"), 3.0),
            Fixture::AudioVideo => (include_bytes!("../fixtures/audio-video.mp4"), 2.0),
        };
        Self::build(vec![Part::Bytes(Bytes::from_static(bytes))], duration_s)
    }

    /// A file of valid MP4 boxes around noise that is generated when it is read.
    #[must_use]
    pub fn generated(spec: Generated) -> Self {
        Self::framed(&spec, mp4::frame(&spec, true))
    }

    /// As [`Media::generated`], without its `moov`.
    #[must_use]
    pub fn without_moov(spec: Generated) -> Self {
        Self::framed(&spec, mp4::frame(&spec, false))
    }

    fn framed(spec: &Generated, (head, noise): (Bytes, u64)) -> Self {
        let noise = Part::Noise {
            offset: spec.seed % BLOCK as u64,
            len: noise,
        };
        Self::build(vec![Part::Bytes(head), noise], spec.duration_s)
    }

    /// Any bytes, served as a video of zero seconds.
    #[must_use]
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::build(vec![Part::Bytes(bytes.into())], 0.0)
    }

    /// A file of no bytes.
    #[must_use]
    pub fn empty() -> Self {
        Self::bytes(Bytes::new())
    }

    /// An HTML error page stored in place of the video.
    #[must_use]
    pub fn html_page() -> Self {
        Self::bytes(
            "<!doctype html><html><title>502 Bad Gateway</title><h1>Bad Gateway</h1></html>\n",
        )
    }

    /// The first `keep` bytes of this file, as a file of its own.
    #[must_use]
    pub fn truncated(&self, keep: u64) -> Self {
        let mut left = keep;
        let mut parts = Vec::new();
        for part in &self.0.parts {
            let take = part.len().min(left);
            left -= take;
            parts.push(part.first(take));
        }
        Self::build(parts, self.0.duration_s)
    }

    /// The same file with another `Content-Type`, which the API shows as `format`.
    #[must_use]
    pub fn typed(&self, content_type: &'static str) -> Self {
        Self(Arc::new(Inner {
            parts: self.0.parts.clone(),
            len: self.0.len,
            duration_s: self.0.duration_s,
            content_type,
            etag: self.0.etag.clone(),
        }))
    }

    fn build(parts: Vec<Part>, duration_s: f64) -> Self {
        // Like S3's: 32 hex digits that change only with the bytes. Hashing the noise's position and
        // length is enough, and takes no time for a file of terabytes.
        let mut digest = Sha256::new();
        for part in &parts {
            match part {
                Part::Bytes(bytes) => digest.update(bytes),
                Part::Noise { offset, len } => {
                    digest.update(offset.to_le_bytes());
                    digest.update(len.to_le_bytes());
                }
            }
        }
        let etag = format!("\"{}\"", hex(&digest.finalize()[..16]));
        Self(Arc::new(Inner {
            len: parts.iter().map(Part::len).sum(),
            parts,
            duration_s,
            content_type: "video/mp4",
            etag,
        }))
    }

    /// Length of the file in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no test needs it")]
    pub fn len(&self) -> u64 {
        self.0.len
    }

    pub(crate) fn duration_s(&self) -> f64 {
        self.0.duration_s
    }

    pub(crate) fn content_type(&self) -> &'static str {
        self.0.content_type
    }

    /// The value of its `ETag` header, quotes included.
    #[must_use]
    pub fn etag(&self) -> &str {
        &self.0.etag
    }

    /// The bytes of `range`, piece by piece, up to the end of the file.
    pub fn read(&self, range: Range<u64>) -> impl Iterator<Item = Bytes> + Send + 'static {
        let media = self.clone();
        let end = range.end.min(self.0.len);
        let mut at = range.start;
        std::iter::from_fn(move || {
            let piece = (at < end).then(|| media.piece(at, end - at))?;
            at += piece.len() as u64;
            Some(piece)
        })
    }

    /// One contiguous piece at `at`, of 1 to `most` bytes.
    fn piece(&self, at: u64, most: u64) -> Bytes {
        let mut start = 0;
        for part in &self.0.parts {
            let within = at - start;
            if within < part.len() {
                return part.piece(within, most.min(part.len() - within));
            }
            start += part.len();
        }
        Bytes::new()
    }

    /// The SHA-256 of the whole file, in hex; reads all of it.
    #[must_use]
    pub fn sha256(&self) -> String {
        let mut digest = Sha256::new();
        for piece in self.read(0..self.0.len) {
            digest.update(&piece);
        }
        hex(&digest.finalize())
    }
}

impl Part {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Noise { len, .. } => *len,
        }
    }

    fn first(&self, len: u64) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(bytes.slice(..index(len))),
            Self::Noise { offset, .. } => Self::Noise {
                offset: *offset,
                len,
            },
        }
    }

    fn piece(&self, at: u64, most: u64) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes.slice(index(at)..index(at + most)),
            Self::Noise { offset, .. } => {
                let from = index((offset + at) % BLOCK as u64);
                let to = from.saturating_add(index(most)).min(BLOCK);
                block().slice(from..to)
            }
        }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Media({} bytes, {})", self.0.len, self.0.etag)
    }
}
