//! A file being examined: reads at any offset through a few small windows, and collects the findings.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use crate::model::{Concern, ConcernKind};

/// Room for many headers or index entries a read.
const WINDOW: usize = 8192;

/// Places of a file that are read alternately: the boxes, and three tables of an index.
const WINDOWS: usize = 4;

/// A number of up to eight bytes, most significant first.
pub(super) fn big_endian(bytes: &[u8]) -> u64 {
    let shifted = |sum, &byte: &u8| sum << 8 | u64::from(byte);
    bytes.iter().fold(0, shifted)
}

/// The duration of `units` at `rate` units per second; not finite if the rate is zero.
#[expect(clippy::cast_precision_loss, reason = "53 bits of units are plenty")]
pub(super) fn seconds(units: u64, rate: u64) -> f64 {
    units as f64 / rate as f64
}

/// What was found in a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Findings {
    /// The file's duration in seconds, the best guess first; several if the format has several sources.
    pub(super) durations: Vec<f64>,
    /// See [`super::examine::Examined::proves_end`].
    pub(super) proves_end: bool,
    /// The concerns, and whether each is a reason to transfer the file again. One of each kind at most: a hostile
    /// file may have millions of oddities.
    pub(super) notes: Vec<(Concern, bool)>,
}

impl Findings {
    pub(super) fn note(
        &mut self,
        kind: ConcernKind,
        doubtful: bool,
        detail: impl FnOnce() -> String,
    ) {
        let known = |(note, other): &(Concern, bool)| note.kind == kind && *other == doubtful;
        if !self.notes.iter().any(known) {
            let detail = detail();
            self.notes.push((Concern { kind, detail }, doubtful));
        }
    }

    /// Adds a duration, if it is finite and above zero.
    pub(super) fn add_duration(&mut self, seconds: f64) {
        if seconds.is_finite() && seconds > 0.0 {
            self.durations.push(seconds);
        }
    }

    /// Whether any finding is a reason to transfer the file again.
    pub(super) fn doubtful(&self) -> bool {
        self.notes.iter().any(|(_, doubtful)| *doubtful)
    }
}

/// A file of known length.
pub(super) struct Probe<'a> {
    file: &'a File,
    len: u64,
    windows: [Window; WINDOWS],
    /// The window used last.
    last: usize,
    turn: u64,
    pub(super) findings: Findings,
    #[cfg(test)]
    pub(super) reads: u64,
}

/// Some bytes of the file.
#[derive(Default)]
struct Window {
    bytes: Vec<u8>,
    start: u64,
    /// When it was last used: the least recently used window is replaced.
    used: u64,
}

impl Window {
    fn skip(&self, at: u64, want: usize) -> Option<usize> {
        let skip = usize::try_from(at.checked_sub(self.start)?).ok()?;
        (skip.checked_add(want)? <= self.bytes.len()).then_some(skip)
    }
}

impl<'a> Probe<'a> {
    pub(super) fn new(file: &'a File, len: u64) -> Self {
        Self {
            file,
            len,
            windows: Default::default(),
            last: 0,
            turn: 0,
            findings: Findings::default(),
            #[cfg(test)]
            reads: 0,
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// `want` bytes from `at` on, at most a window; fewer only at the end of the file.
    pub(super) fn bytes(&mut self, at: u64, want: usize) -> io::Result<&[u8]> {
        #[cfg(test)]
        {
            self.reads += 1;
        }
        let left = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
        let want = want.min(left).min(WINDOW);
        if want == 0 {
            return Ok(&[]);
        }
        let held = if self.windows[self.last].skip(at, want).is_some() {
            Some(self.last)
        } else {
            (0..WINDOWS).find(|&index| self.windows[index].skip(at, want).is_some())
        };
        let index = match held {
            Some(index) => index,
            None => self.fill(at, left.min(WINDOW))?,
        };
        if index != self.last || held.is_none() {
            self.turn += 1;
            self.last = index;
            self.windows[index].used = self.turn;
        }
        let window = &self.windows[index];
        let skip = window.skip(at, want).unwrap_or_default();
        Ok(&window.bytes[skip..skip + want])
    }

    /// Reads `want` bytes at `at` into the least recently used window.
    fn fill(&mut self, at: u64, want: usize) -> io::Result<usize> {
        let oldest = (0..WINDOWS)
            .min_by_key(|&index| self.windows[index].used)
            .unwrap_or_default();
        let window = &mut self.windows[oldest];
        window.bytes.resize(want, 0);
        window.start = at;
        let read = self.file.read_exact_at(&mut window.bytes, at);
        if read.is_err() {
            window.bytes.clear();
        }
        read.map(|()| oldest)
    }

    /// `N` bytes at `at`, if the file has them.
    pub(super) fn array<const N: usize>(&mut self, at: u64) -> io::Result<Option<[u8; N]>> {
        Ok(self.bytes(at, N)?.try_into().ok())
    }

    /// A harmless oddity of structure.
    pub(super) fn odd(&mut self, detail: impl FnOnce() -> String) {
        self.findings.note(ConcernKind::Structure, false, detail);
    }

    /// A broken structure, which is a reason to transfer the file again.
    pub(super) fn broken(&mut self, detail: impl FnOnce() -> String) {
        self.findings.note(ConcernKind::Structure, true, detail);
    }

    /// The end is missing, which is a reason to transfer the file again.
    pub(super) fn cut(&mut self, detail: impl FnOnce() -> String) {
        self.findings.note(ConcernKind::Truncated, true, detail);
    }

    /// The header and the content of the file have different durations.
    pub(super) fn odd_duration(&mut self, header: f64, content: f64) {
        self.findings.note(ConcernKind::Duration, false, || {
            format!("the header says {header:.1} s, the content lasts {content:.1} s")
        });
    }

    /// The kind of data after the last element of a file, if programs are known to append it.
    pub(super) fn appendix(&mut self, at: u64) -> io::Result<Option<&'static str>> {
        let left = self.len.saturating_sub(at);
        let bytes = self.bytes(at, WINDOW)?;
        Ok(match bytes {
            [b'T', b'A', b'G', ..] if left == 128 || left == 355 => Some("an ID3v1 tag"),
            [b'T', b'A', b'G', b'+', ..] => Some("an ID3v1 tag"),
            [b'I', b'D', b'3', ..] => Some("an ID3v2 tag"),
            _ if bytes.starts_with(b"APETAGEX") => Some("an APE tag"),
            _ if bytes.starts_with(b"LYRICSBEGIN") => Some("a Lyrics3 tag"),
            // Fewer may be the beginning of anything.
            _ if left >= 4 && bytes.iter().all(|&byte| byte == 0) => Some("zero bytes"),
            _ if bytes.iter().all(u8::is_ascii_whitespace) => Some("white space"),
            _ => None,
        })
    }
}
