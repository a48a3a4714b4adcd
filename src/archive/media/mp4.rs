//! MP4 and its relatives (ISO/IEC 14496-12, `QuickTime`), whole or in fragments: the outermost boxes of the file.
//! Players accept much more than the standard, and so does this module: it doubts only what looks like a cut.

mod boxes;
mod fragment;
mod movie;
mod samples;

use std::io;

use super::MediaKind;
use super::probe::Probe;
use crate::human::count;
use boxes::{Atom, Header, header};
use movie::Movie;

/// How many boxes of unknown type may precede the first known one.
const MAX_UNKNOWN: u8 = 16;

/// Whether boxes of this type are known to be outermost in a file.
pub(super) fn is_outermost(kind: &[u8]) -> bool {
    identifies_mp4(kind)
        || matches!(
            kind,
            b"free"
                | b"skip"
                | b"wide"
                | b"uuid"
                | b"udta"
                | b"meta"
                | b"pdin"
                | b"pnot"
                | b"PICT"
                | b"pict"
                | b"prft"
                | b"emsg"
                | b"mfra"
                | b"ssix"
                | b"junk"
        )
}

/// Whether a box of this type makes a file an MP4 file.
fn identifies_mp4(kind: &[u8]) -> bool {
    matches!(
        kind,
        b"ftyp" | b"styp" | b"moov" | b"mdat" | b"moof" | b"sidx"
    )
}

/// Whether the file begins like an MP4 file: with a box of a known type, or with others before one that occurs only
/// in MP4 files.
pub(super) fn begins(probe: &mut Probe<'_>) -> io::Result<bool> {
    let len = probe.len();
    let mut at = 0;
    for number in 0..=MAX_UNKNOWN {
        let Header::Atom(atom) = header(probe, at, len)? else {
            return Ok(false);
        };
        if identifies_mp4(&atom.kind) || number == 0 && is_outermost(&atom.kind) {
            return Ok(true);
        }
        at = atom.end;
    }
    Ok(false)
}

/// What was found while walking through the file.
#[derive(Default)]
struct Outermost {
    kind: Option<MediaKind>,
    has_movie: bool,
    has_media: bool,
    fragments: u64,
    last: Option<Atom>,
    /// Where the fragments end according to `sidx`.
    announced: u64,
    /// The bytes after the last box may be the beginning of another.
    uncertain: bool,
    movie: Movie,
}

/// Examines an MP4 file.
pub(super) fn check(probe: &mut Probe<'_>) -> io::Result<MediaKind> {
    let mut seen = Outermost::default();
    let mut at = 0;
    while at < probe.len() {
        let Some(atom) = seen.next(probe, at)? else {
            break;
        };
        seen.examine_box(probe, &atom)?;
        at = atom.end;
    }
    seen.conclude(probe);
    Ok(seen.kind.unwrap_or(MediaKind::Mp4))
}

impl Outermost {
    /// The box at `at`, if it is whole; else notes what is there.
    fn next(&mut self, probe: &mut Probe<'_>, at: u64) -> io::Result<Option<Atom>> {
        let len = probe.len();
        let found = match header(probe, at, len)? {
            Header::Atom(atom) if atom.end <= len => return Ok(Some(atom)),
            Header::Atom(atom) => Some(atom),
            Header::Terminator | Header::Stray => None,
        };
        let left = len - at;
        let appendix = probe.appendix(at)?;
        let complete = self.has_movie && self.fragments == 0 && !self.movie.fragmented;
        match (appendix, found) {
            (Some(what), _) => probe.odd(|| format!("{left} bytes follow the last box: {what}")),
            (None, Some(atom)) if !complete || is_outermost(&atom.kind) => {
                let by = count(atom.end - len, "byte");
                probe.cut(|| {
                    let name = atom.name();
                    format!("box '{name}' at byte {at} runs past the end by {by}")
                });
            }
            (None, None) if !complete && self.has_movie => {
                probe.cut(|| format!("the file ends in {left} bytes that are no whole box"));
            }
            _ => {
                probe.odd(|| format!("{left} bytes that are no box follow the last box"));
                self.uncertain = true;
            }
        }
        Ok(None)
    }

    fn examine_box(&mut self, probe: &mut Probe<'_>, atom: &Atom) -> io::Result<()> {
        self.last = Some(*atom);
        match &atom.kind {
            b"ftyp" | b"styp" if self.kind.is_none() => {
                let brand = probe.array::<4>(atom.content)?.unwrap_or_default();
                self.kind = Some(match &brand {
                    b"qt  " => MediaKind::QuickTime,
                    b"M4A " | b"M4B " => MediaKind::M4a,
                    [b'3', b'g', ..] => MediaKind::ThreeGp,
                    _ => MediaKind::Mp4,
                });
            }
            // Players use the first of several.
            b"moov" if !self.has_movie => {
                self.has_movie = true;
                self.movie.read(probe, atom)?;
            }
            b"moof" => {
                self.fragments += 1;
                fragment::read(probe, atom, &mut self.movie)?;
            }
            b"sidx" => self.announced = self.announced.max(announced_end(probe, atom)?),
            b"mdat" => self.has_media = true,
            _ => {}
        }
        Ok(())
    }

    fn conclude(&self, probe: &mut Probe<'_>) {
        let has_fragments = self.fragments > 0;
        let fragmented = has_fragments || self.movie.fragmented;
        // It is written after the last fragment.
        let has_end = self.last.is_some_and(|last| &last.kind == b"mfra");
        let nothing = self.movie.samples == 0 && !self.movie.compressed;
        let len = probe.len();
        if !self.has_movie {
            probe.cut(|| "box 'moov', the index of the media, is missing".to_owned());
        } else if self.movie.fragmented && !has_fragments && nothing && !has_end {
            probe.cut(|| "the file announces fragments and has none".to_owned());
        } else if !fragmented && !self.has_media && nothing {
            probe.cut(|| "the file has no media".to_owned());
        } else if has_fragments && self.announced > len {
            let end = self.announced;
            probe.cut(|| format!("the fragments end at byte {end}, but the file at byte {len}"));
        }
        self.movie.conclude(probe, has_fragments);
        probe.findings.proves_end = !probe.findings.doubtful()
            && !self.uncertain
            && match self.last {
                Some(open) if open.open_ended => {
                    &open.kind == b"mdat" && self.movie.reach == len && !fragmented
                }
                _ => !fragmented || has_end,
            };
    }
}

/// Where the fragments that an index lists end (ISO/IEC 14496-12, 8.16.3).
fn announced_end(probe: &mut Probe<'_>, sidx: &Atom) -> io::Result<u64> {
    let (first, table) = match sidx.u8(probe, 0)? {
        0 => (u64::from(sidx.u32(probe, 16)?), 20),
        _ => (sidx.u64(probe, 20)?, 28),
    };
    let declared = u32::try_from(sidx.u16(probe, table + 2)?).unwrap_or_default();
    let mut end = sidx.end.saturating_add(first);
    for entry in 0..sidx.entries(probe, declared, table + 4, 96) {
        // The highest bit means a reference to another index.
        let size = sidx.u32(probe, table + 4 + entry * 12)? & 0x7FFF_FFFF;
        end = end.saturating_add(size.into());
    }
    Ok(end)
}
