//! MP3 and its older layers, and AAC in ADTS or LATM frames. They have no magic number: two frames in a row are needed.

use std::io;

use super::MediaKind;
use super::probe::{Probe, big_endian, seconds};

/// The tolerated error of a byte count in a header.
const SLACK: u64 = 2048;

/// A frame's format, length, samples and samples in a second.
struct Frame {
    kind: MediaKind,
    len: u64,
    samples: u64,
    rate: u64,
}

/// MP3 or AAC, if the file begins with frames of it, after tags; FLAC, if it has tags in front.
pub(super) fn recognise(probe: &mut Probe<'_>) -> io::Result<MediaKind> {
    let start = after_tags(probe)?;
    let opening = probe.bytes(start, 6)?;
    if opening.starts_with(b"fLaC") {
        return Ok(MediaKind::Flac);
    }
    let Some(first) = frame(opening) else {
        // A tag is enough to recognise the file; it may be longer than the bytes that are there.
        return Ok(if start > 0 {
            MediaKind::Mp3
        } else {
            MediaKind::Unknown
        });
    };
    let next = probe.bytes(start + first.len, 6)?;
    let again = match frame(next) {
        Some(next) => next.kind == first.kind,
        // The only frame, or the last one of a cut file.
        None => next.len() < 6 || next.starts_with(b"TAG"),
    };
    Ok(if again || start > 0 {
        first.kind
    } else {
        MediaKind::Unknown
    })
}

/// Walks from frame to frame and adds up their samples; the last frame must be whole.
pub(super) fn check(probe: &mut Probe<'_>) -> io::Result<()> {
    let len = probe.len();
    let start = after_tags(probe)?;
    let mut at = start;
    let mut lasts = 0.0;
    while at < len {
        let Some(frame) = frame(probe.bytes(at, 6)?) else {
            break;
        };
        at += frame.len;
        let seconds = seconds(frame.samples, frame.rate);
        if at <= len && seconds.is_finite() {
            lasts += seconds;
        }
    }
    if at > len {
        let by = crate::human::count(at - len, "byte");
        probe.cut(|| format!("the last frame or tag runs past the end by {by}"));
    } else if at < len && probe.appendix(at)?.is_none() {
        probe.odd(|| format!("the bytes at {at} are no frame"));
    }
    if let Some((frames, bytes)) = counted(probe, start)? {
        probe.findings.add_duration(frames);
        // Encoders do not agree on which frames and tags they count.
        if start + bytes > len + SLACK {
            probe.cut(|| {
                let there = len - start.min(len);
                format!("the header counts {bytes} bytes of sound, but there are {there}")
            });
        }
    } else {
        probe.findings.add_duration(lasts);
    }
    Ok(())
}

/// MP3's first frame may count all frames, which gives a duration, and their bytes.
fn counted(probe: &mut Probe<'_>, start: u64) -> io::Result<Option<(f64, u64)>> {
    let bytes = probe.bytes(start, 200)?;
    let first = bytes.get(..6).and_then(frame);
    let Some(first) = first.filter(|first| first.kind == MediaKind::Mp3) else {
        return Ok(None);
    };
    let found = |name: &[u8]| bytes.windows(4).position(|four| four == name);
    let number = |at: usize| {
        let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
        u64::from(u32::from_be_bytes(four.unwrap_or_default()))
    };
    let (frames, size) = if let Some(at) = found(b"Xing").or_else(|| found(b"Info")) {
        match number(at + 4) & 3 {
            3 => (number(at + 8), number(at + 12)),
            1 => (number(at + 8), 0),
            _ => return Ok(None),
        }
    } else if let Some(at) = found(b"VBRI") {
        (number(at + 14), number(at + 10))
    } else {
        return Ok(None);
    };
    let lasts = seconds(frames.saturating_mul(first.samples), first.rate);
    Ok(Some((lasts, size)))
}

/// Where the sound begins, after `ID3v2` tags; it may be after the end of the file.
fn after_tags(probe: &mut Probe<'_>) -> io::Result<u64> {
    let mut at = 0;
    while let Some([b'I', b'D', b'3', 2..=4, _, flags, size @ ..]) = probe.array::<10>(at)? {
        // Seven bits per byte.
        let size = size
            .iter()
            .fold(0, |sum, &byte| sum << 7 | u64::from(byte & 0x7F));
        let footer = if flags & 0x10 != 0 { 10 } else { 0 };
        at += 10 + size + footer;
    }
    Ok(at)
}

/// Reads the first six bytes of a frame.
fn frame(header: &[u8]) -> Option<Frame> {
    let &[sync, second, third, ..] = header else {
        return None;
    };
    if header.len() < 6 {
        return None;
    }
    // Thirteen of these bits are the length: in LATM those before the last 24, in ADTS before the last 5.
    let bits = big_endian(header);
    let aac = |len, samples, rate| Frame {
        kind: MediaKind::Aac,
        len,
        samples,
        rate,
    };
    match (sync, second) {
        (0x56, 0xE0..) => Some(aac(3 + (bits >> 24 & 0x1FFF), 0, 0)),
        (0xFF, 0xF0 | 0xF1 | 0xF8 | 0xF9) => {
            let rate = AAC_RATES.get(usize::from(third >> 2 & 15))?;
            let len = bits >> 5 & 0x1FFF;
            // The length includes the header.
            (len >= 7).then(|| aac(len, 1024, *rate))
        }
        (0xFF, 0xE0..) => mpeg_frame(second, third),
        _ => None,
    }
}

/// Samples per second of AAC, by the index in the header.
const AAC_RATES: [u64; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000,
    7350,
];

/// Kilobits per second: of MPEG 1 layers I, II and III, of MPEG 2 layer I and of its other layers.
const BIT_RATES: [[u16; 14]; 5] = [
    [
        32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448,
    ],
    [
        32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
    ],
    [
        32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
    ],
    [
        32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256,
    ],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

/// MPEG 1, 2 and 2.5, layers I to III (ISO/IEC 11172-3, 2.4.2.3).
fn mpeg_frame(second: u8, third: u8) -> Option<Frame> {
    let (version, layer) = (second >> 3 & 3, 4 - (second >> 1 & 3));
    let halved = match version {
        3 => 0,
        2 => 1,
        0 => 2,
        _ => return None,
    };
    let (list, samples): (usize, u64) = match (layer, halved) {
        (1, 0) => (0, 384),
        (2, 0) => (1, 1152),
        (3, 0) => (2, 1152),
        (1, _) => (3, 384),
        (2, _) => (4, 1152),
        (3, _) => (4, 576),
        _ => return None,
    };
    let bit_rate = BIT_RATES[list].get(usize::from(third >> 4).checked_sub(1)?)?;
    let rate = [44_100, 48_000, 32_000].get(usize::from(third >> 2 & 3))? >> halved;
    let padding = u64::from(third >> 1 & 1);
    let bits = u64::from(*bit_rate) * 1000;
    let len = if layer == 1 {
        (12 * bits / rate + padding) * 4
    } else {
        samples / 8 * bits / rate + padding
    };
    Some(Frame {
        kind: MediaKind::Mp3,
        len,
        samples,
        rate,
    })
}
