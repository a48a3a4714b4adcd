//! Ogg (RFC 3533): checks that each page ends within the file, and reads the last position of each stream.

use std::collections::HashMap;
use std::io;

use super::probe::Probe;
use super::probe::seconds;

/// The most streams that are remembered: a hostile file could use up the memory.
const MAX_STREAMS: usize = 1000;

/// A stream: the unit of its positions, and the last position.
#[derive(Default)]
struct Stream {
    clock: Clock,
    first: Option<u64>,
    last: u64,
    ended: bool,
}

/// What the position of a page means, which depends on the codec.
#[derive(Default)]
struct Clock {
    /// This many units in this many seconds; zero units: unknown.
    units: u64,
    per: u64,
    /// Units that are decoded but not played.
    skip: u64,
    /// Theora: the lowest bits count the frames since a key frame.
    shift: u32,
}

/// Examines an Ogg file.
pub(super) fn check(probe: &mut Probe<'_>) -> io::Result<()> {
    let mut streams: HashMap<u32, Stream> = HashMap::new();
    // Recordings may follow each other in one file: those before the last one.
    let (mut before, mut before_spans) = (0.0, 0.0);
    let mut in_headers = true;
    let mut at = 0;
    while at < probe.len() {
        let Some((head, body, end)) = page(probe, at)? else {
            break;
        };
        let begins = head[5] & 2 != 0;
        if begins && !in_headers {
            let (last, span) = longest(&streams);
            (before, before_spans) = (before + last, before_spans + span);
            streams.clear();
        }
        in_headers = begins;
        let serial = u32::from_le_bytes([head[14], head[15], head[16], head[17]]);
        if streams.len() < MAX_STREAMS || streams.contains_key(&serial) {
            let stream = streams.entry(serial).or_default();
            if begins {
                stream.clock = clock(probe.bytes(body, 64)?);
            }
            stream.ended |= head[5] & 4 != 0;
            stream.advance(&head);
        }
        at = end;
    }
    let (last, span) = longest(&streams);
    probe.findings.add_duration(before + last);
    probe.findings.add_duration(before_spans + span);
    let ended = streams.values().all(|stream| stream.ended);
    if !ended && !probe.findings.doubtful() {
        probe.odd(|| "the last page is not marked as the end of its stream".to_owned());
    }
    probe.findings.proves_end = ended && !probe.findings.doubtful();
    Ok(())
}

/// The header of the page at `at`, where its body begins and where it ends, if it is whole; else notes what is
/// there.
fn page(probe: &mut Probe<'_>, at: u64) -> io::Result<Option<([u8; 27], u64, u64)>> {
    let len = probe.len();
    let is_page = probe.bytes(at, 4)?.iter().eq(b"OggS");
    if let Some(head) = probe.array::<27>(at)?.filter(|_| is_page) {
        let lacing = usize::from(head[26]);
        let body: u64 = probe
            .bytes(at + 27, lacing)?
            .iter()
            .map(|&byte| u64::from(byte))
            .sum();
        let start = at + 27 + lacing as u64;
        let end = start + body;
        if end <= len {
            return Ok(Some((head, start, end)));
        }
        probe.cut(|| format!("the page at byte {at} runs past the end"));
        return Ok(None);
    }
    match probe.appendix(at)? {
        Some(what) => {
            let left = len - at;
            probe.odd(|| format!("{left} bytes follow the last page: {what}"));
        }
        None if len - at < 27 => probe.cut(|| format!("the page at byte {at} runs past the end")),
        None => probe.broken(|| format!("the bytes at {at} are no page")),
    }
    Ok(None)
}

/// The duration of the longest stream in seconds: by its last position, and since its first one.
fn longest(streams: &HashMap<u32, Stream>) -> (f64, f64) {
    let longest = |of: fn(&Stream) -> u64| {
        let times = streams
            .values()
            .map(|stream| stream.clock.seconds(of(stream)));
        times.filter(|time| time.is_finite()).fold(0.0, f64::max)
    };
    let last = longest(|stream| stream.last.saturating_sub(stream.clock.skip));
    let span = longest(|stream| stream.last.saturating_sub(stream.first.unwrap_or_default()));
    (last, span)
}

/// Reads the first packet of a stream.
fn clock(packet: &[u8]) -> Clock {
    let little = |at: usize| {
        let bytes = packet
            .get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok());
        u64::from(u32::from_le_bytes(bytes.unwrap_or_default()))
    };
    let big = |at: usize| u64::from(u32::try_from(little(at)).unwrap_or_default().swap_bytes());
    let at_rate = |units| Clock {
        units,
        per: 1,
        ..Clock::default()
    };
    match packet {
        [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', ..] => Clock {
            skip: little(10) & 0xFFFF,
            ..at_rate(48_000)
        },
        [1, b'v', b'o', b'r', b'b', b'i', b's', ..] => at_rate(little(12)),
        [b'S', b'p', b'e', b'e', b'x', b' ', ..] => at_rate(little(36)),
        // A FLAC stream's own header follows 13 bytes after the beginning: 20 bits of sample rate in it.
        [0x7F, b'F', b'L', b'A', b'C', ..] => at_rate(big(27) >> 12),
        [0x80, b't', b'h', b'e', b'o', b'r', b'a', ..] => {
            let shift = (packet.get(40).copied().unwrap_or_default() & 3) << 3
                | packet.get(41).copied().unwrap_or_default() >> 5;
            Clock {
                units: big(22),
                per: big(26),
                skip: 0,
                shift: shift.into(),
            }
        }
        _ => Clock::default(),
    }
}

impl Clock {
    fn seconds(&self, units: u64) -> f64 {
        seconds(units.saturating_mul(self.per), self.units)
    }
}

impl Stream {
    /// Notes the position of a page. All ones: no packet ends on it.
    fn advance(&mut self, head: &[u8; 27]) {
        let position = head[6..14].try_into().unwrap_or_default();
        let position = u64::from_le_bytes(position);
        if position == u64::MAX || position == 0 {
            return;
        }
        let shift = self.clock.shift;
        let frames = (position >> shift) + (position & ((1 << shift) - 1));
        self.first.get_or_insert(frames);
        self.last = self.last.max(frames);
    }
}
