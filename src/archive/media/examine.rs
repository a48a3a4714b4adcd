//! A file under examination, from its first byte to its last.

use std::fs::File;
use std::io;

use super::kind::MediaKind;
use super::page::error_page;
use super::probe::{Findings, Probe};
use super::{flac, flv, matroska, mp4, mpeg_audio, ogg, recognise, riff, ts};

/// How many of a file's first bytes are read to recognise an error page.
const OPENING: usize = 1024;

/// The result of examining a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    pub(super) kind: MediaKind,
    page: Option<&'static str>,
    pub(super) findings: Findings,
}

impl Examined {
    /// The kind of error document, if the file is one: such a file is never archived.
    #[must_use]
    pub fn error_page(&self) -> Option<&'static str> {
        self.page
    }

    /// Whether the structure alone proves that the end is there. A body that ends with its connection has no other
    /// proof.
    #[must_use]
    pub fn proves_end(&self) -> bool {
        self.findings.proves_end
    }

    /// The format.
    #[must_use]
    pub fn kind(&self) -> MediaKind {
        self.kind
    }

    /// The duration according to the file: finite and above zero; `None`: unknown.
    #[must_use]
    pub fn duration_seconds(&self) -> Option<f64> {
        self.findings.durations.first().copied()
    }
}

/// Examines the first `len` bytes of a file.
///
/// # Errors
/// The disk's; also if the file is shorter than `len`.
pub fn examine(file: &File, len: u64) -> io::Result<Examined> {
    let mut probe = Probe::new(file, len);
    let kind = examine_with(&mut probe)?;
    let page = match kind {
        MediaKind::Unknown => error_page(probe.bytes(0, OPENING)?),
        _ => None,
    };
    Ok(Examined {
        kind,
        page,
        findings: probe.findings,
    })
}

pub(super) fn examine_with(probe: &mut Probe<'_>) -> io::Result<MediaKind> {
    let kind = recognise::recognise(probe)?;
    match kind {
        MediaKind::Mp4 => return mp4::check(probe),
        MediaKind::Matroska => return matroska::check(probe),
        MediaKind::Ogg => ogg::check(probe)?,
        MediaKind::Wav | MediaKind::Avi | MediaKind::Aiff => riff::check(probe)?,
        MediaKind::Mp3 | MediaKind::Aac => mpeg_audio::check(probe)?,
        MediaKind::MpegTs => ts::check(probe)?,
        MediaKind::Flv => flv::check(probe)?,
        MediaKind::Flac => flac::check(probe)?,
        _ => {}
    }
    Ok(kind)
}
