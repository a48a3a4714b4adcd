//! The movie box and its tracks: durations, and the positions in their index.

use std::collections::HashMap;
use std::io;

use super::super::duration::duration_fits;
use super::super::probe::Probe;
use super::super::probe::seconds;
use super::boxes::{Atom, Children};
use super::samples::Tables;

/// The depth to which a track is searched: `mdia/minf/stbl`, and some more.
const MAX_DEPTH: u8 = 8;

/// The most tracks remembered for fragments: a hostile file could use up the memory.
const MAX_TRACKS: usize = 1000;

/// The data of the movie box and the fragments.
#[derive(Default)]
pub(super) struct Movie {
    timescale: u32,
    /// From `mvhd`; `None`: unknown.
    duration: Option<u64>,
    /// From `mehd`: the planned duration of all fragments together.
    announced: Option<u64>,
    /// The duration of the longest track, in seconds.
    tracks_last: f64,
    has_tracks: bool,
    /// The duration of the longest edit list, in the movie's units: it may be shorter or longer than the track.
    edits_last: u64,
    /// It announces fragments; there may be none.
    pub(super) fragmented: bool,
    /// The index is compressed, as in old `QuickTime` files.
    pub(super) compressed: bool,
    /// The number of samples in the movie box's own index, and the end of the last one.
    pub(super) samples: u64,
    pub(super) reach: u64,
    pub(super) tracks: HashMap<u32, Track>,
}

/// Defaults for the fragments of a track, and the sums over those read so far.
#[derive(Debug, Default)]
pub(super) struct Track {
    timescale: u32,
    pub(super) default_duration: u32,
    pub(super) default_size: u32,
    /// The sum of its samples' durations.
    pub(super) sum: u64,
    /// When its first fragment begins and its last one ends.
    pub(super) span: Option<(u64, u64)>,
}

/// The boxes of interest in one track.
#[derive(Default)]
struct TrackBoxes {
    id: u32,
    timescale: u32,
    duration: Option<u64>,
    edits: u64,
    external: bool,
    tables: Tables,
}

impl Movie {
    /// Reads the movie box.
    pub(super) fn read(&mut self, probe: &mut Probe<'_>, moov: &Atom) -> io::Result<()> {
        let mut children = Children::of(moov);
        let mut has_header = false;
        while let Some(atom) = children.next(probe)? {
            match &atom.kind {
                b"mvhd" => {
                    has_header = true;
                    // After version and flags: two times of 4 or 8 bytes, the time scale, the duration.
                    let at = if atom.u8(probe, 0)? == 1 { 20 } else { 12 };
                    self.timescale = atom.u32(probe, at)?;
                    self.duration = atom.units(probe, [16, 24])?;
                }
                b"trak" => self.track(probe, &atom)?,
                b"mvex" => {
                    self.fragmented = true;
                    self.defaults(probe, &atom)?;
                }
                b"cmov" => self.compressed = true,
                _ => {}
            }
        }
        if self.compressed {
            probe.odd(|| "the index is compressed ('cmov') and was not looked into".to_owned());
        } else if !self.has_tracks {
            probe.odd(|| "the movie has no track".to_owned());
        } else if !has_header {
            probe.odd(|| "the movie has no header ('mvhd')".to_owned());
        }
        Ok(())
    }

    fn track(&mut self, probe: &mut Probe<'_>, trak: &Atom) -> io::Result<()> {
        let mut boxes = TrackBoxes::default();
        boxes.collect(probe, trak, MAX_DEPTH)?;
        self.has_tracks = true;
        self.edits_last = self.edits_last.max(boxes.edits);
        let units = boxes.tables.duration(probe)?;
        let samples = if boxes.external {
            probe.odd(|| "a track's media is in another file".to_owned());
            u64::from(units > 0)
        } else {
            let found = boxes.tables.check(probe)?;
            self.reach = self.reach.max(found.reach);
            found.count
        };
        self.samples = self.samples.saturating_add(samples);
        // Without samples the header may mean fragments that follow.
        let lasts = if units > 0 {
            Some(units)
        } else {
            boxes.duration
        };
        let lasts = seconds(lasts.unwrap_or_default(), boxes.timescale.into());
        if lasts.is_finite() {
            self.tracks_last = self.tracks_last.max(lasts);
        }
        if let Some(track) = self.remembered(boxes.id) {
            track.timescale = boxes.timescale;
            if samples > 0 {
                track.sum = units;
                track.span = Some((0, units));
            }
        }
        Ok(())
    }

    /// Reads the defaults for fragments in `mvex`.
    fn defaults(&mut self, probe: &mut Probe<'_>, mvex: &Atom) -> io::Result<()> {
        let mut children = Children::of(mvex);
        while let Some(atom) = children.next(probe)? {
            match &atom.kind {
                b"mehd" => self.announced = atom.units(probe, [4, 4])?,
                b"trex" => {
                    let id = atom.u32(probe, 4)?;
                    if let Some(track) = self.remembered(id) {
                        track.default_duration = atom.u32(probe, 12)?;
                        track.default_size = atom.u32(probe, 16)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn remembered(&mut self, id: u32) -> Option<&mut Track> {
        let room = self.tracks.len() < MAX_TRACKS || self.tracks.contains_key(&id);
        room.then(|| self.tracks.entry(id).or_default())
    }

    /// Determines the duration. `fragments`: whether there are any.
    pub(super) fn conclude(&self, probe: &mut Probe<'_>, fragments: bool) {
        let header = seconds(self.duration.unwrap_or_default(), self.timescale.into());
        if fragments || self.fragmented {
            // The headers describe what was planned; a file cut between fragments has less. The fragments' times
            // continue while the recording is paused, and some programs write wrong durations of samples.
            let longest = |of: fn(&Track) -> u64| {
                let tracks = self.tracks.values();
                let times = tracks.map(|track| seconds(of(track), track.timescale.into()));
                times.filter(|time| time.is_finite()).fold(0.0, f64::max)
            };
            let span = |track: &Track| track.span.map_or(0, |(from, to)| to.saturating_sub(from));
            let (span, sum) = (longest(span), longest(|track| track.sum));
            let announced = seconds(self.announced.unwrap_or_default(), self.timescale.into());
            if ![span, sum]
                .iter()
                .any(|own| duration_fits(Some(*own), Some(announced)))
            {
                probe.odd_duration(announced, span);
            }
            probe.findings.add_duration(span);
            probe.findings.add_duration(sum);
            return;
        }
        let tracks = self.tracks_last;
        let shown = match self.edits_last {
            0 => tracks,
            units => seconds(units, self.timescale.into()),
        };
        let durations = if duration_fits(Some(header), Some(shown)) {
            [header, shown, tracks]
        } else {
            // The 32 bits in the header wrapped, or it is nonsense.
            probe.odd_duration(header, shown);
            [shown, tracks, header]
        };
        for seconds in durations {
            probe.findings.add_duration(seconds);
        }
    }
}

impl TrackBoxes {
    fn collect(&mut self, probe: &mut Probe<'_>, parent: &Atom, depth: u8) -> io::Result<()> {
        let mut children = Children::of(parent);
        while let Some(atom) = children.next(probe)? {
            match &atom.kind {
                b"mdia" | b"minf" | b"dinf" | b"stbl" | b"edts" if depth > 0 => {
                    self.collect(probe, &atom, depth - 1)?;
                }
                b"tkhd" => {
                    let at = if atom.u8(probe, 0)? == 1 { 20 } else { 12 };
                    self.id = atom.u32(probe, at)?;
                }
                b"mdhd" => {
                    let at = if atom.u8(probe, 0)? == 1 { 20 } else { 12 };
                    self.timescale = atom.u32(probe, at)?;
                    self.duration = atom.units(probe, [16, 24])?;
                }
                b"elst" => self.edits = edits(probe, &atom)?,
                b"dref" => self.external |= is_external(probe, &atom)?,
                b"stts" => self.tables.times = Some(atom),
                b"stsc" => self.tables.runs = Some(atom),
                b"stsz" | b"stz2" => self.tables.sizes = Some(atom),
                b"stco" | b"co64" => self.tables.chunks = Some(atom),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether a data reference points out of the file: its flag for "in this file" is not set.
fn is_external(probe: &mut Probe<'_>, dref: &Atom) -> io::Result<bool> {
    let mut children = Children::between(dref.content.saturating_add(8), dref.end);
    let mut external = false;
    while let Some(entry) = children.next(probe)? {
        external |= entry.u32(probe, 0)? & 1 == 0;
    }
    Ok(external)
}

/// The duration of an edit list, in the movie's units.
fn edits(probe: &mut Probe<'_>, elst: &Atom) -> io::Result<u64> {
    let declared = elst.u32(probe, 4)?;
    let wide = elst.u8(probe, 0)? == 1;
    let width = if wide { 20 } else { 12 };
    let mut sum: u64 = 0;
    for entry in 0..elst.entries(probe, declared, 8, width * 8) {
        let at = 8 + entry * width;
        let lasts = if wide {
            elst.u64(probe, at)?
        } else {
            elst.u32(probe, at)?.into()
        };
        sum = sum.saturating_add(lasts);
    }
    Ok(sum)
}
