//! MPEG transport streams: packets of one length. The duration is the difference of the clocks near both ends.

use std::io;

use super::probe::{Probe, big_endian, seconds};

/// Packets in a row that must begin with the same byte, or all if the file has fewer.
const ENOUGH: u64 = 5;

/// Packets that are read near each end; there is a clock every tenth of a second.
const LOOK: u64 = 10_000;

/// Ticks per second of the clock, and the number after which it wraps.
const TICKS: u64 = 90_000;
const WRAP: u64 = 1 << 33;

/// The layout of packets in a file.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// Bytes from one packet to the next.
    len: u64,
    /// Bytes before each packet.
    lead: u64,
}

/// The layout, if the file consists of packets.
pub(super) fn layout(probe: &mut Probe<'_>) -> io::Result<Option<Layout>> {
    for (len, lead) in [(188, 0), (192, 4), (204, 0)] {
        let mut packets = 0;
        while packets < ENOUGH && probe.bytes(packets * len + lead, 1)? == [0x47] {
            packets += 1;
        }
        if packets == ENOUGH || packets > 0 && packets * len == probe.len() {
            return Ok(Some(Layout { len, lead }));
        }
    }
    Ok(None)
}

/// Examines a transport stream.
pub(super) fn check(probe: &mut Probe<'_>) -> io::Result<()> {
    let Some(layout) = layout(probe)? else {
        return Ok(());
    };
    let packets = probe.len() / layout.len;
    let rest = probe.len() % layout.len;
    let end = packets * layout.len;
    if rest > 0 {
        match probe.appendix(end)? {
            Some(what) => probe.odd(|| format!("{rest} bytes follow the last packet: {what}")),
            None => probe.cut(|| format!("the last packet has {rest} of {} bytes", layout.len)),
        }
    }
    let mut first = None;
    for packet in 0..packets.min(LOOK) {
        first = layout.clock(probe, packet)?;
        if first.is_some() {
            break;
        }
    }
    let Some((pid, from)) = first else {
        return Ok(());
    };
    let mut last = from;
    for packet in packets.saturating_sub(LOOK)..packets {
        match layout.clock(probe, packet)? {
            Some((other, clock)) if other == pid => last = clock,
            _ => {}
        }
    }
    probe
        .findings
        .add_duration(seconds((last + WRAP - from) % WRAP, TICKS));
    Ok(())
}

impl Layout {
    /// The stream and the clock of a packet, if it has one (ISO/IEC 13818-1, 2.4.3.5).
    fn clock(self, probe: &mut Probe<'_>, packet: u64) -> io::Result<Option<(u16, u64)>> {
        let at = packet * self.len + self.lead;
        let Some([0x47, high, low, control, field, flags, clock @ ..]) = probe.array::<11>(at)?
        else {
            return Ok(None);
        };
        if control & 0x20 == 0 || field < 7 || flags & 0x10 == 0 {
            return Ok(None);
        }
        let clock = big_endian(&clock) >> 7;
        Ok(Some((u16::from_be_bytes([high & 0x1F, low]), clock)))
    }
}
