//! Flash video: tags, each followed by its length. So the last tag shows whether the file is cut, and its
//! duration.

use std::io;

use super::probe::{Probe, seconds};

/// Bytes of a tag's header, and of the length that follows the tag.
const HEAD: u64 = 11;
const TRAILER: u64 = 4;

/// Examines an FLV file.
pub(super) fn check(probe: &mut Probe<'_>) -> io::Result<()> {
    let len = probe.len();
    // After the file's header comes the length of no tag: zero.
    let first = u64::from(probe.array(5)?.map_or(0, u32::from_be_bytes)) + TRAILER;
    if len == first {
        return Ok(());
    }
    let trailer = probe.array(len.saturating_sub(TRAILER))?;
    let size = u64::from(trailer.map_or(0, u32::from_be_bytes));
    // Some programs do not count the header.
    for size in [size, size + HEAD] {
        let at = len.checked_sub(TRAILER + size).filter(|&at| at >= first);
        if let Some(at) = at
            && let Some([kind, a, b, c, time @ .., _, _, _]) = probe.array::<11>(at)?
            && matches!(kind & 0x1F, 8 | 9 | 18)
            && u64::from(u32::from_be_bytes([0, a, b, c])) + HEAD == size
        {
            // The highest byte comes last.
            let [b, c, d, a] = time;
            let time = u32::from_be_bytes([a, b, c, d]);
            probe
                .findings
                .add_duration(seconds(time.max(1).into(), 1000));
            return Ok(());
        }
    }
    probe.cut(|| "the file does not end with a whole tag".to_owned());
    Ok(())
}
