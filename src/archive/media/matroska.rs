//! Matroska and `WebM` (RFC 9559): checks that each element ends within the file, and finds the last block's time.

use std::io;

use super::MediaKind;
use super::duration::duration_fits;
use super::probe::{Probe, big_endian};
use crate::human::count;

const EBML: u32 = 0x1A45_DFA3;
const DOC_TYPE: u32 = 0x4282;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_A966;
const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
const DURATION: u32 = 0x4489;
const CLUSTER: u32 = 0x1F43_B675;
const TIMESTAMP: u32 = 0xE7;
const SIMPLE_BLOCK: u32 = 0xA3;
const BLOCK_GROUP: u32 = 0xA0;
const BLOCK: u32 = 0xA1;
const BLOCK_DURATION: u32 = 0x9B;
const VOID: u32 = 0xEC;
const CRC: u32 = 0xBF;

/// Elements that lie next to clusters, and so end one of unknown size: `SeekHead`, `Info`, `Tracks`, `Cues`,
/// `Attachments`, `Chapters`, `Tags`.
const NEXT_TO_CLUSTERS: [u32; 7] = [
    0x114D_9B74,
    INFO,
    0x1654_AE6B,
    0x1C53_BB6B,
    0x1941_A469,
    0x1043_A770,
    0x1254_C367,
];

/// The header of an element.
#[derive(Clone, Copy)]
struct Element {
    id: u32,
    content: u64,
    /// Where it ends; `None`: where the next one of its level begins, as live recordings are written.
    end: Option<u64>,
}

/// What was found where an element may begin.
enum Found {
    Element(Element),
    /// The file ends within its header.
    Cut,
    /// No element.
    Stray,
}

/// What is known of times, in the segment's ticks.
struct Times {
    /// Nanoseconds per tick.
    scale: u64,
    declared: Option<f64>,
    first: Option<u64>,
    last: u64,
}

/// Examines a Matroska file.
pub(super) fn check(probe: &mut Probe<'_>) -> io::Result<MediaKind> {
    let mut kind = MediaKind::Matroska;
    let (mut complete, mut has_segment) = (false, false);
    let mut at = 0;
    while at < probe.len() {
        let Some(found) = next(probe, at, true)? else {
            break;
        };
        at = match (found.id, found.end) {
            (SEGMENT, _) => {
                has_segment = true;
                complete = found.end.is_some();
                segment(probe, &found)?
            }
            (EBML, Some(end)) if at == 0 => {
                if is_webm(probe, found.content, end)? {
                    kind = MediaKind::WebM;
                }
                end
            }
            (_, Some(end)) => end,
            (_, None) => {
                probe.broken(|| format!("the element at byte {at} has no size"));
                break;
            }
        };
    }
    if !has_segment {
        probe.cut(|| "the file has no segment".to_owned());
    }
    probe.findings.proves_end = complete && !probe.findings.doubtful();
    Ok(kind)
}

/// Walks through a segment. Returns where it ends.
fn segment(probe: &mut Probe<'_>, segment: &Element) -> io::Result<u64> {
    let len = probe.len();
    let end = segment.end.unwrap_or(len);
    let mut times = Times {
        scale: 1_000_000,
        declared: None,
        first: None,
        last: 0,
    };
    let mut last_cluster = None;
    let mut at = segment.content;
    while at < end {
        let Some(found) = next(probe, at, segment.end.is_none())? else {
            break;
        };
        // Another recording, appended to one of unknown size.
        if matches!(found.id, EBML | SEGMENT) {
            break;
        }
        at = match (found.id, found.end) {
            (CLUSTER, Some(cluster_end)) => {
                last_cluster = Some((found.content, cluster_end));
                if times.first.is_none() {
                    times.first = Some(first_timestamp(probe, &found)?);
                }
                cluster_end
            }
            (CLUSTER, None) => times.cluster(probe, found.content, end)?,
            (INFO, Some(info_end)) => {
                times.info(probe, found.content, info_end)?;
                info_end
            }
            (_, Some(element_end)) => element_end,
            (_, None) => {
                probe.broken(|| format!("the element at byte {at} has no size"));
                break;
            }
        };
    }
    if let Some((content, cluster_end)) = last_cluster {
        times.cluster(probe, content, cluster_end.min(len))?;
    }
    if segment.end.is_none() && times.first.is_none() {
        probe.cut(|| "the file has no cluster of media".to_owned());
    }
    let complete = segment.end.is_some() && !probe.findings.doubtful();
    times.conclude(probe, complete);
    Ok(at.max(segment.end.unwrap_or(at)))
}

/// The element at `at`, if it is whole; else notes what is there. `may_end`: whether the file may end here.
fn next(probe: &mut Probe<'_>, at: u64, may_end: bool) -> io::Result<Option<Element>> {
    let len = probe.len();
    let left = len.saturating_sub(at);
    match element(probe, at)? {
        Found::Element(found) if found.end.is_none_or(|end| end <= len) => return Ok(Some(found)),
        Found::Element(Element {
            id: SEGMENT,
            content,
            end: Some(end),
        }) => {
            // Still read what is there, for the duration.
            let by = count(end - len, "byte");
            probe.cut(|| format!("the segment runs past the end by {by}"));
            return Ok(Some(Element {
                id: SEGMENT,
                content,
                end: Some(len),
            }));
        }
        found => {
            let appendix = if may_end { probe.appendix(at)? } else { None };
            match (found, appendix) {
                (_, Some(what)) => {
                    probe.odd(|| format!("{left} bytes follow the last element: {what}"));
                }
                (Found::Stray, None) => {
                    probe.broken(|| format!("the bytes at {at} are no element"));
                }
                _ => probe.cut(|| format!("the element at byte {at} runs past the end")),
            }
        }
    }
    Ok(None)
}

/// Reads the header at `at` (RFC 8794, 4 to 6).
fn element(probe: &mut Probe<'_>, at: u64) -> io::Result<Found> {
    let bytes = probe.bytes(at, 12)?;
    let short = bytes.len() < 12;
    let missing = if short { Found::Cut } else { Found::Stray };
    let Some(id_len) = bytes
        .first()
        .map(|first| first.leading_zeros() as usize + 1)
    else {
        return Ok(missing);
    };
    if id_len > 4 {
        return Ok(Found::Stray);
    }
    let (Some(id), Some(first)) = (bytes.get(..id_len), bytes.get(id_len)) else {
        return Ok(missing);
    };
    let size_len = first.leading_zeros() as usize + 1;
    let Some(size) = bytes
        .get(id_len..id_len + size_len)
        .filter(|_| size_len <= 8)
    else {
        return Ok(missing);
    };
    let unknown = (1 << (7 * size_len)) - 1;
    let size = big_endian(size) & unknown;
    let content = at + (id_len + size_len) as u64;
    Ok(Found::Element(Element {
        id: u32::try_from(big_endian(id)).unwrap_or_default(),
        content,
        end: (size != unknown).then(|| content.saturating_add(size)),
    }))
}

fn is_webm(probe: &mut Probe<'_>, mut at: u64, end: u64) -> io::Result<bool> {
    while at < end
        && let Found::Element(Element {
            id,
            content,
            end: Some(next),
        }) = element(probe, at)?
    {
        if id == DOC_TYPE {
            return Ok(probe.bytes(content, 4)? == b"webm");
        }
        at = next;
    }
    Ok(false)
}

/// An unsigned number that fills an element.
fn unsigned(probe: &mut Probe<'_>, content: u64, end: u64) -> io::Result<u64> {
    let len = usize::try_from(end.saturating_sub(content))
        .unwrap_or(8)
        .min(8);
    let bytes = probe.bytes(content, len)?;
    Ok(big_endian(bytes))
}

/// A cluster's own time, which comes first in it.
fn first_timestamp(probe: &mut Probe<'_>, cluster: &Element) -> io::Result<u64> {
    let mut at = cluster.content;
    while let Found::Element(Element {
        id,
        content,
        end: Some(end),
    }) = element(probe, at)?
    {
        match id {
            TIMESTAMP => return unsigned(probe, content, end),
            VOID | CRC => at = end,
            _ => break,
        }
    }
    Ok(0)
}

impl Times {
    fn info(&mut self, probe: &mut Probe<'_>, mut at: u64, end: u64) -> io::Result<()> {
        while at < end
            && let Found::Element(Element {
                id,
                content,
                end: Some(next),
            }) = element(probe, at)?
        {
            match id {
                TIMESTAMP_SCALE => self.scale = unsigned(probe, content, next)?,
                DURATION => {
                    self.declared = match next - content {
                        4 => probe
                            .array(content)?
                            .map(|bytes| f32::from_be_bytes(bytes).into()),
                        _ => probe.array(content)?.map(f64::from_be_bytes),
                    };
                }
                _ => {}
            }
            at = next;
        }
        Ok(())
    }

    /// Walks through a cluster that ends at `end`, or where another element of its level begins. Returns where.
    fn cluster(&mut self, probe: &mut Probe<'_>, mut at: u64, end: u64) -> io::Result<u64> {
        let mut time = 0;
        while at < end {
            // At this depth, damage does not affect what follows.
            let Found::Element(found) = element(probe, at)? else {
                break;
            };
            if matches!(found.id, CLUSTER | EBML | SEGMENT) || NEXT_TO_CLUSTERS.contains(&found.id)
            {
                return Ok(at);
            }
            let Some(next) = found.end.filter(|&next| next <= end) else {
                break;
            };
            match found.id {
                TIMESTAMP => {
                    time = unsigned(probe, found.content, next)?;
                    self.first.get_or_insert(time);
                    self.last = self.last.max(time);
                }
                SIMPLE_BLOCK => self.block(probe, time, found.content, 0)?,
                BLOCK_GROUP => self.group(probe, time, found.content, next)?,
                _ => {}
            }
            at = next;
        }
        Ok(at)
    }

    fn group(&mut self, probe: &mut Probe<'_>, time: u64, mut at: u64, end: u64) -> io::Result<()> {
        let (mut block, mut lasts) = (None, 0);
        while at < end
            && let Found::Element(Element {
                id,
                content,
                end: Some(next),
            }) = element(probe, at)?
        {
            match id {
                BLOCK => block = Some(content),
                BLOCK_DURATION => lasts = unsigned(probe, content, next)?,
                _ => {}
            }
            at = next;
        }
        match block {
            Some(content) => self.block(probe, time, content, lasts),
            None => Ok(()),
        }
    }

    /// A block's time is relative to its cluster's, after the number of its track.
    fn block(
        &mut self,
        probe: &mut Probe<'_>,
        cluster: u64,
        at: u64,
        lasts: u64,
    ) -> io::Result<()> {
        let track_len = probe
            .bytes(at, 1)?
            .first()
            .map_or(1, |first| first.leading_zeros() + 1);
        if let Some(relative) = probe.array(at + u64::from(track_len))? {
            let time = cluster.saturating_add_signed(i16::from_be_bytes(relative).into());
            self.last = self.last.max(time.saturating_add(lasts));
        }
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "53 bits are plenty")]
    fn conclude(&self, probe: &mut Probe<'_>, complete: bool) {
        let seconds = |ticks: f64| ticks * self.scale as f64 / 1e9;
        let declared = seconds(self.declared.unwrap_or_default());
        // A file with one frame has almost no duration, but it is known.
        let last = seconds(self.last.max(self.first.map_or(0, |_| 1)) as f64);
        let span = seconds(self.last.saturating_sub(self.first.unwrap_or_default()) as f64);
        let agree = [last, span]
            .iter()
            .any(|own| duration_fits(Some(declared), Some(*own)));
        if !agree {
            probe.odd_duration(declared, last);
        } else if complete {
            // The header includes the last frame's duration, which the blocks' times do not.
            probe.findings.add_duration(declared);
        }
        probe.findings.add_duration(last);
        probe.findings.add_duration(span);
    }
}
