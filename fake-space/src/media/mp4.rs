//! The boxes of a generated MP4: enough structure to pass for a complete file when its boxes are checked.

use bytes::Bytes;

const TIMESCALE: u32 = 1000;
/// Seconds in ticks of the movie header.
const TICKS: f64 = 1000.0;

/// What [`super::Media::generated`] makes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Generated {
    /// Length of the whole file in bytes; at least 1024, a smaller value is raised to that.
    pub size: u64,
    /// Duration in its `mvhd` box.
    pub duration_s: f64,
    /// Files of different seeds differ.
    pub seed: u64,
}

impl Generated {
    /// A file of `size` bytes and of one minute.
    #[must_use]
    pub fn of_size(size: u64) -> Self {
        Self {
            size,
            duration_s: 60.0,
            seed: size,
        }
    }
}

/// The bytes before the noise (with `moov` or without), and the length of the noise, which ends the file.
pub(super) fn frame(spec: &Generated, with_moov: bool) -> (Bytes, u64) {
    let mut head = boxed(*b"ftyp", b"isom\0\0\x02\0isomiso2mp41");
    // Two seeds never give the same file, even where their noise begins at the same place of the block.
    head.extend(boxed(*b"free", &spec.seed.to_be_bytes()));
    if with_moov {
        head.extend(moov(spec.duration_s));
    }
    let mdat = spec.size.max(1024).saturating_sub(head.len() as u64);
    // A box of 4 GiB or more has a 64-bit length after its name.
    if let Ok(short) = u32::try_from(mdat) {
        head.extend(short.to_be_bytes());
        head.extend(b"mdat");
        (head.into(), mdat - 8)
    } else {
        head.extend([0, 0, 0, 1]);
        head.extend(b"mdat");
        head.extend(mdat.to_be_bytes());
        (head.into(), mdat - 16)
    }
}

fn boxed(name: [u8; 4], body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + 8).expect("only small boxes are made this way");
    let mut bytes = len.to_be_bytes().to_vec();
    bytes.extend(name);
    bytes.extend(body);
    bytes
}

/// A box with version 0 and no flags.
fn full(name: [u8; 4], body: &[u8]) -> Vec<u8> {
    boxed(name, &[&[0; 4], body].concat())
}

const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn moov(duration_s: f64) -> Vec<u8> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates"
    )]
    let ticks = (duration_s * TICKS).round() as u32;
    let movie = [
        words(&[0, 0, TIMESCALE, ticks, 0x1_0000, 0x100_0000, 0, 0]),
        words(&MATRIX),
        words(&[0, 0, 0, 0, 0, 0, 2]),
    ];
    let tkhd = [
        words(&[0, 0, 1, 0, ticks, 0, 0, 0, 0]),
        words(&MATRIX),
        words(&[320 << 16, 180 << 16]),
    ];
    let media_header = words(&[0, 0, TIMESCALE, ticks, 0x55c4_0000]);
    let hdlr = [&[0; 4], &b"vide"[..], &[0; 12], b"VideoHandler\0"].concat();
    let dref = [words(&[1]), boxed(*b"url ", &[0, 0, 0, 1])].concat();
    let table = [
        full(*b"stsd", &words(&[0])),
        full(*b"stts", &words(&[0])),
        full(*b"stsc", &words(&[0])),
        full(*b"stsz", &words(&[0, 0])),
        full(*b"stco", &words(&[0])),
    ];
    let minf = [
        boxed(*b"vmhd", &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        boxed(*b"dinf", &full(*b"dref", &dref)),
        boxed(*b"stbl", &table.concat()),
    ];
    let mdia = [
        full(*b"mdhd", &media_header),
        full(*b"hdlr", &hdlr),
        boxed(*b"minf", &minf.concat()),
    ];
    let trak = [
        full(*b"tkhd", &tkhd.concat()),
        boxed(*b"mdia", &mdia.concat()),
    ];
    let moov = [
        full(*b"mvhd", &movie.concat()),
        boxed(*b"trak", &trak.concat()),
    ];
    boxed(*b"moov", &moov.concat())
}
