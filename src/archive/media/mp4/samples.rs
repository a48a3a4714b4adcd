//! The index of one track (ISO/IEC 14496-12, 8.7): the positions of its samples. A sample beyond the end of the file
//! is the only sure sign of a cut; entries that no sample uses mean nothing.

use std::io;

use super::super::probe::Probe;
use super::boxes::Atom;

/// The boxes that make up the index of one track.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tables {
    /// `stsz` or `stz2`.
    pub(super) sizes: Option<Atom>,
    /// `stsc`.
    pub(super) runs: Option<Atom>,
    /// `stco` or `co64`.
    pub(super) chunks: Option<Atom>,
    /// `stts`.
    pub(super) times: Option<Atom>,
}

/// The result of reading a track's index.
#[derive(Debug, Default)]
pub(super) struct Samples {
    pub(super) count: u64,
    /// The end of the last byte in use.
    pub(super) reach: u64,
}

/// The sizes of a track's samples.
struct Sizes {
    table: Atom,
    count: u64,
    /// The size of every sample; 0: each has its own.
    uniform: u64,
    bits: u64,
}

impl Sizes {
    fn read(probe: &mut Probe<'_>, table: Atom) -> io::Result<Self> {
        let declared = table.u32(probe, 8)?;
        let (uniform, bits) = match &table.kind {
            b"stz2" => (0, table.u8(probe, 7)?),
            _ => (u64::from(table.u32(probe, 4)?), 32),
        };
        let count = if uniform == 0 {
            table.entries(probe, declared, 12, bits)
        } else {
            declared.into()
        };
        Ok(Self {
            table,
            count,
            uniform,
            bits,
        })
    }

    /// The bytes of the `number` samples from `first` on.
    fn sum(&self, probe: &mut Probe<'_>, first: u64, number: u64) -> io::Result<u64> {
        match self.uniform {
            0 => {}
            // QuickTime gives samples of compressed sound the size 1, whatever their real size.
            1 => return Ok(1),
            size => return Ok(size.saturating_mul(number)),
        }
        let mut sum: u64 = 0;
        for index in first..first + number {
            let size = match self.bits {
                4 => {
                    let pair = self.table.u8(probe, 12 + index / 2)?;
                    if index % 2 == 0 { pair >> 4 } else { pair & 15 }
                }
                8 => self.table.u8(probe, 12 + index)?,
                16 => self.table.u16(probe, 12 + index * 2)?,
                _ => self.table.u32(probe, 12 + index * 4)?.into(),
            };
            sum = sum.saturating_add(size);
        }
        Ok(sum)
    }
}

impl Tables {
    /// Compares the positions of the samples in use with the length of the file.
    pub(super) fn check(&self, probe: &mut Probe<'_>) -> io::Result<Samples> {
        let mut found = Samples::default();
        let Some(sizes) = self.sizes else {
            return Ok(found);
        };
        let sizes = Sizes::read(probe, sizes)?;
        found.count = sizes.count;
        if sizes.count == 0 {
            return Ok(found);
        }
        let (Some(runs), Some(chunks)) = (self.runs, self.chunks) else {
            probe.broken(|| "a track has samples, but no index of them".to_owned());
            return Ok(found);
        };
        let declared = runs.u32(probe, 4)?;
        let run_count = runs.entries(probe, declared, 8, 96);
        let declared = chunks.u32(probe, 4)?;
        let width = if &chunks.kind == b"co64" { 8 } else { 4 };
        let chunk_count = chunks.entries(probe, declared, 8, width * 8);
        let (mut sample, mut run) = (0, 0);
        for chunk in 0..chunk_count {
            // A run of chunks ends where the next one begins; chunks are counted from 1.
            while run + 1 < run_count
                && u64::from(runs.u32(probe, 8 + (run + 1) * 12)?) <= chunk + 1
            {
                run += 1;
            }
            let number = u64::from(runs.u32(probe, 8 + run * 12 + 4)?).min(sizes.count - sample);
            let bytes = sizes.sum(probe, sample, number)?;
            let at = match width {
                8 => chunks.u64(probe, 8 + chunk * 8)?,
                _ => chunks.u32(probe, 8 + chunk * 4)?.into(),
            };
            let end = at.saturating_add(bytes);
            if bytes > 0 && end > probe.len() {
                let len = probe.len();
                probe.cut(|| format!("a sample ends at byte {end}, but the file at byte {len}"));
                return Ok(found);
            }
            if bytes > 0 {
                found.reach = found.reach.max(end);
            }
            sample += number;
            if sample == sizes.count {
                return Ok(found);
            }
        }
        probe.odd(|| "a track has more samples than its index has places for".to_owned());
        Ok(found)
    }

    /// The duration of the samples, in the track's units.
    pub(super) fn duration(&self, probe: &mut Probe<'_>) -> io::Result<u64> {
        let Some(times) = self.times else {
            return Ok(0);
        };
        let declared = times.u32(probe, 4)?;
        let mut sum: u64 = 0;
        for entry in 0..times.entries(probe, declared, 8, 64) {
            let count = u64::from(times.u32(probe, 8 + entry * 8)?);
            let delta = u64::from(times.u32(probe, 12 + entry * 8)?);
            sum = sum.saturating_add(count.saturating_mul(delta));
        }
        Ok(sum)
    }
}
