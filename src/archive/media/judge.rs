//! Compares the findings about a file with what SignalWire reports. A pure function.

use super::duration::duration_fits;
use super::examine::Examined;
use super::kind::MediaKind;
use super::label;
use crate::model::{Concern, ConcernKind};

/// What SignalWire reports about a recording's file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reported<'a> {
    /// In bytes; `None`: unknown.
    pub size_bytes: Option<u64>,
    /// `None`: unknown.
    pub duration_seconds: Option<f64>,
    /// Its label, most often a MIME type.
    pub format: Option<&'a str>,
}

/// Whether a complete file is archived at once. Concerns come in the order of their kinds, one of each at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// Yes, with these concerns, if any.
    Plausible(Vec<Concern>),
    /// It is first transferred again: it may still be growing, or was damaged on the way. If the bytes are the same,
    /// it is archived with these concerns, at least one.
    Doubtful(Vec<Concern>),
}

/// Judges a complete file of `len` bytes that is no error page.
#[must_use]
pub fn judge(examined: &Examined, len: u64, reported: &Reported<'_>) -> Judgement {
    let mut findings = examined.findings.clone();
    if len == 0 {
        findings.note(ConcernKind::Structure, true, || {
            "the file is empty".to_owned()
        });
    } else if examined.kind == MediaKind::Unknown {
        let detail = || "the bytes are of no known media format".to_owned();
        findings.note(ConcernKind::Type, true, detail);
    } else if let Some(label) = reported.format
        && label::contradicts(label, examined.kind)
    {
        findings.note(ConcernKind::Type, true, || {
            let label = printable(label);
            format!(
                "SignalWire reports {label}, but the bytes are {}",
                examined.kind
            )
        });
    }
    if let Some(size) = reported.size_bytes
        && size != len
    {
        let detail = || format!("the file has {len} bytes, SignalWire reports {size}");
        findings.note(ConcernKind::Size, !is_wrapped(size, len), detail);
    }
    // If a format has several ways to determine the duration, one that fits is enough.
    let durations = &examined.findings.durations;
    if let (Some(first), Some(api)) = (durations.first(), reported.duration_seconds)
        && !durations
            .iter()
            .any(|own| duration_fits(Some(*own), Some(api)))
    {
        findings.note(ConcernKind::Duration, false, || {
            format!("the file lasts {first:.1} s, SignalWire reports {api:.1} s")
        });
    }
    let doubtful = findings.doubtful();
    let concerns = merged(findings.notes);
    if doubtful {
        Judgement::Doubtful(concerns)
    } else {
        Judgement::Plausible(concerns)
    }
}

/// One concern of each kind, the reasons for doubt first in its text.
fn merged(mut notes: Vec<(Concern, bool)>) -> Vec<Concern> {
    notes.sort_by_key(|(concern, doubtful)| (concern.kind, !doubtful));
    let mut concerns: Vec<Concern> = Vec::new();
    for (concern, _) in notes {
        match concerns.last_mut() {
            Some(last) if last.kind == concern.kind => {
                last.detail = format!("{}; {}", last.detail, concern.detail);
            }
            _ => concerns.push(concern),
        }
    }
    concerns
}

/// A label for a message; it comes from outside, so odd ones are not repeated.
fn printable(label: &str) -> String {
    let label = label.trim();
    if label.len() <= 60
        && label
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
    {
        format!("'{label}'")
    } else {
        "another format".to_owned()
    }
}

/// Whether a reported size is that of a file of `len` bytes, wrapped: the API's int32 holds less than 2 GiB. This
/// explains the difference, so the file need not be transferred again.
fn is_wrapped(reported: u64, len: u64) -> bool {
    len > i32::MAX as u64 && (reported == len % (1 << 31) || reported == len % (1 << 32))
}
