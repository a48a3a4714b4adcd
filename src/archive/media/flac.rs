//! FLAC: its duration.

use std::io;

use super::probe::{Probe, seconds};

/// Reads the duration from the first block. A cut would show only by decoding everything.
pub(super) fn check(probe: &mut Probe<'_>) -> io::Result<()> {
    // After the magic and the block's header: two block sizes, two frame sizes; then 20 bits of sample rate,
    // 8 bits of format, 36 bits of samples.
    if let Some(numbers) = probe.array::<8>(18)? {
        let numbers = u64::from_be_bytes(numbers);
        let (rate, samples) = (numbers >> 44, numbers & 0xF_FFFF_FFFF);
        probe.findings.add_duration(seconds(samples, rate));
    }
    Ok(())
}
