//! Fragments (ISO/IEC 14496-12, 8.8): the positions and durations of their samples.

use std::io;

use super::super::probe::Probe;
use super::boxes::{Atom, Children};
use super::movie::Movie;

/// The state while the runs of one track's fragment are read.
struct Run {
    duration: u32,
    size: u32,
    /// The base of the runs' offsets.
    base: u64,
    /// Where the next run's data begins, unless the run has an offset.
    next: u64,
    /// Its start time, if it has one, and the duration of its samples.
    start: Option<u64>,
    lasts: u64,
}

/// Reads a fragment: checks that its samples are in the file, and adds up their durations.
pub(super) fn read(probe: &mut Probe<'_>, moof: &Atom, movie: &mut Movie) -> io::Result<()> {
    let mut children = Children::of(moof);
    let mut data = moof.at;
    while let Some(traf) = children.next(probe)? {
        if &traf.kind == b"traf" {
            data = track_fragment(probe, moof, &traf, data, movie)?;
        }
    }
    Ok(())
}

/// Reads one track's part of a fragment, whose data begins at `data` unless it has an offset. Returns its end.
fn track_fragment(
    probe: &mut Probe<'_>,
    moof: &Atom,
    traf: &Atom,
    data: u64,
    movie: &mut Movie,
) -> io::Result<u64> {
    let mut id = 0;
    let mut run = Run {
        duration: 0,
        size: 0,
        base: data,
        next: data,
        start: None,
        lasts: 0,
    };
    let mut children = Children::of(traf);
    while let Some(atom) = children.next(probe)? {
        match &atom.kind {
            b"tfhd" => {
                id = atom.u32(probe, 4)?;
                if let Some(track) = movie.remembered(id) {
                    (run.duration, run.size) = (track.default_duration, track.default_size);
                }
                run.header(probe, &atom, moof)?;
            }
            b"tfdt" => {
                run.start = Some(match atom.u8(probe, 0)? {
                    1 => atom.u64(probe, 4)?,
                    _ => atom.u32(probe, 4)?.into(),
                });
            }
            b"trun" => run.samples(probe, &atom)?,
            _ => {}
        }
    }
    if let Some(track) = movie.remembered(id) {
        track.sum = track.sum.saturating_add(run.lasts);
        let (from, to) = track.span.unzip();
        let start = run.start.or(to).unwrap_or_default();
        let end = start.saturating_add(run.lasts);
        track.span = Some((from.unwrap_or(start).min(start), to.unwrap_or(end).max(end)));
    }
    Ok(run.next)
}

impl Run {
    fn header(&mut self, probe: &mut Probe<'_>, tfhd: &Atom, moof: &Atom) -> io::Result<()> {
        let flags = tfhd.u32(probe, 0)?;
        let mut at = 8;
        if flags & 0x1 != 0 {
            self.base = tfhd.u64(probe, at)?;
            at += 8;
        } else if flags & 0x2_0000 != 0 {
            self.base = moof.at;
        }
        self.next = self.base;
        at += u64::from(flags & 0x2 != 0) * 4;
        if flags & 0x8 != 0 {
            self.duration = tfhd.u32(probe, at)?;
            at += 4;
        }
        if flags & 0x10 != 0 {
            self.size = tfhd.u32(probe, at)?;
        }
        Ok(())
    }

    fn samples(&mut self, probe: &mut Probe<'_>, trun: &Atom) -> io::Result<()> {
        let flags = trun.u32(probe, 0)?;
        let declared = trun.u32(probe, 4)?;
        let mut at = 8;
        if flags & 0x1 != 0 {
            let offset = trun.u32(probe, at)?.cast_signed();
            self.next = self.base.saturating_add_signed(offset.into());
            at += 4;
        }
        at += u64::from(flags & 0x4 != 0) * 4;
        // An entry has up to four fields of 4 bytes: the duration, the size, and two that do not matter here.
        let (has_duration, has_size) = (flags & 0x100 != 0, flags & 0x200 != 0);
        let width = u64::from((flags & 0xF00).count_ones()) * 4;
        let count = match width {
            0 => declared.into(),
            _ => trun.entries(probe, declared, at, width * 8),
        };
        let (mut lasts, mut bytes) = (0, 0);
        if !has_duration {
            lasts = count.saturating_mul(self.duration.into());
        }
        if !has_size {
            bytes = count.saturating_mul(self.size.into());
        }
        if has_duration || has_size {
            for entry in 0..count {
                let mut field = at + entry * width;
                if has_duration {
                    lasts = lasts.saturating_add(trun.u32(probe, field)?.into());
                    field += 4;
                }
                if has_size {
                    bytes = bytes.saturating_add(trun.u32(probe, field)?.into());
                }
            }
        }
        self.lasts = self.lasts.saturating_add(lasts);
        self.next = self.next.saturating_add(bytes);
        if bytes > 0 && self.next > probe.len() {
            let (end, len) = (self.next, probe.len());
            probe.cut(|| {
                format!("a fragment's samples end at byte {end}, but the file at byte {len}")
            });
        }
        Ok(())
    }
}
