//! The files behind the links: real small MP4s, generated ones of any size, and damaged ones.
//! A media is a list of parts of which any range is read without holding the file in memory.

mod mp4;

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use sha2::{Digest, Sha256};

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

/// What [`Media::generated`] makes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Generated {
    /// Bytes of the whole file; at least 1 KiB, smaller ones are made that long.
    pub size: u64,
    /// Length in seconds that its `mvhd` tells.
    pub duration_s: f64,
    /// Files of different seeds differ.
    pub seed: u64,
    /// Whether `moov` lies after `mdat`, as encoders write it, or before (*fast start*).
    pub moov_last: bool,
}

impl Generated {
    /// A file of `size` bytes that says it lasts a minute.
    #[must_use]
    pub fn of_size(size: u64) -> Self {
        Self {
            size,
            duration_s: 60.0,
            seed: size,
            moov_last: false,
        }
    }
}

const FIXTURES: [(&str, &[u8], f64); 3] = [
    (
        "one-second-faststart",
        include_bytes!("../fixtures/one-second-faststart.mp4"),
        1.0,
    ),
    (
        "three-seconds",
        include_bytes!("../fixtures/three-seconds.mp4"),
        3.0,
    ),
    (
        "audio-video",
        include_bytes!("../fixtures/audio-video.mp4"),
        2.0,
    ),
];

/// Prime, so that bytes spliced at a wrong offset show in the digest.
const BLOCK: usize = 1_048_583;

fn block() -> &'static Bytes {
    static NOISE: OnceLock<Bytes> = OnceLock::new();
    NOISE.get_or_init(|| {
        let mut seed = 0;
        let words = (0..=BLOCK / 8).flat_map(|_| crate::mix(&mut seed).to_le_bytes());
        words.take(BLOCK).collect()
    })
}

impl Media {
    /// A real video made with ffmpeg: `one-second-faststart`, `three-seconds` (`moov` at the end)
    /// or `audio-video` (two seconds).
    ///
    /// # Panics
    /// If there is no fixture of that name.
    #[must_use]
    pub fn fixture(name: &str) -> Self {
        let (_, bytes, duration_s) = FIXTURES
            .into_iter()
            .find(|(known, ..)| *known == name)
            .expect("a fixture's name");
        Self::build(vec![Part::Bytes(Bytes::from_static(bytes))], duration_s)
    }

    /// A file of valid boxes around bytes made when they are read.
    #[must_use]
    pub fn generated(spec: Generated) -> Self {
        let (head, noise, tail) = mp4::frame(&spec, true);
        Self::around(&spec, head, noise, tail)
    }

    /// As [`Media::generated`], without its `moov`.
    #[must_use]
    pub fn without_moov(spec: Generated) -> Self {
        let (head, noise, tail) = mp4::frame(&spec, false);
        Self::around(&spec, head, noise, tail)
    }

    fn around(spec: &Generated, head: Bytes, noise: u64, tail: Bytes) -> Self {
        let noise = Part::Noise {
            offset: spec.seed % BLOCK as u64,
            len: noise,
        };
        Self::build(
            vec![Part::Bytes(head), noise, Part::Bytes(tail)],
            spec.duration_s,
        )
    }

    /// Any bytes, said to be a video of no length.
    #[must_use]
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::build(vec![Part::Bytes(bytes.into())], 0.0)
    }

    /// A file of no bytes.
    #[must_use]
    pub fn empty() -> Self {
        Self::bytes(Bytes::new())
    }

    /// An error page in HTML that is stored as if it were the video.
    #[must_use]
    pub fn html_page() -> Self {
        Self::bytes(
            "<!doctype html><html><title>502 Bad Gateway</title><h1>Bad Gateway</h1></html>\n",
        )
    }

    /// The first `keep` bytes of this file, as a file of its own: its last box is cut.
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

    /// The same file with another `Content-Type` and `format`.
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
        // Like S3's: 32 hex digits that stay while the bytes do. The noise is described, not read.
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
        let etag = format!("\"{}\"", crate::hex(&digest.finalize()[..16]));
        Self(Arc::new(Inner {
            len: parts.iter().map(Part::len).sum(),
            parts,
            duration_s,
            content_type: "video/mp4",
            etag,
        }))
    }

    /// Bytes of the file.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> u64 {
        self.0.len
    }

    /// Length in seconds that the file itself tells.
    #[must_use]
    pub fn duration_s(&self) -> f64 {
        self.0.duration_s
    }

    /// Its MIME type.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        self.0.content_type
    }

    /// Its strong validator, quotes included.
    #[must_use]
    pub fn etag(&self) -> &str {
        &self.0.etag
    }

    /// Its bytes of `range`, piece by piece; nothing beyond its end.
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

    /// One contiguous piece at `at`, of at most `most` bytes, at least one.
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

    /// The SHA-256 of the whole file, in hex; reads it all.
    #[must_use]
    pub fn sha256(&self) -> String {
        let mut digest = Sha256::new();
        for piece in self.read(0..self.0.len) {
            digest.update(&piece);
        }
        crate::hex(&digest.finalize())
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
