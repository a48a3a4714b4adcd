//! The boxes of a generated MP4: enough structure for a player's or an archiver's check of it.

use bytes::Bytes;

use super::Generated;

const TIMESCALE: u32 = 1000;
/// Seconds in ticks of the movie header.
const TICKS: f64 = 1000.0;

/// What stands before the noise, how long the noise is, and what stands after it.
pub(super) fn frame(spec: &Generated, with_moov: bool) -> (Bytes, u64, Bytes) {
    let moov = if with_moov {
        moov(spec.duration_s)
    } else {
        Vec::new()
    };
    let mut head = boxed(*b"ftyp", b"isom\0\0\x02\0isomiso2mp41");
    // The seed in the open, so that two seeds never give the same file.
    head.extend(boxed(*b"free", &spec.seed.to_be_bytes()));
    let mut tail = Vec::new();
    if spec.moov_last {
        tail = moov;
    } else {
        head.extend(moov);
    }
    let fixed = (head.len() + tail.len()) as u64;
    let room = spec.size.max(1024).saturating_sub(fixed);
    if let Ok(short) = u32::try_from(room) {
        head.extend(short.to_be_bytes());
        head.extend(b"mdat");
        (head.into(), room - 8, tail.into())
    } else {
        head.extend([0, 0, 0, 1]);
        head.extend(b"mdat");
        head.extend(room.to_be_bytes());
        (head.into(), room - 16, tail.into())
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
