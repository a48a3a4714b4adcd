//! MPEG transport streams: packets of one length. How long one lasts is read from its clock near both ends.

use std::io;

use super::probe::{Probe, big_endian, seconds};

/// Packets in a row that must begin alike, as far as the file has them.
const ENOUGH: u64 = 5;

/// Packets that are looked at near each end; a clock comes every tenth of a second.
const LOOK: u64 = 10_000;

/// Ticks of the clock in a second, and after how many it starts over.
const TICKS: u64 = 90_000;
const WRAP: u64 = 1 << 33;

/// How packets lie in a file.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// Bytes from one to the next.
    len: u64,
    /// Bytes in front of each.
    lead: u64,
}

/// How packets lie, if the file consists of such.
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
        .lasts(seconds((last + WRAP - from) % WRAP, TICKS));
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
