mod boxes;
mod build;
mod errors;
mod fragments;
mod judgement;
mod mp4;
mod odd;
mod other;
mod properties;
mod runs;
mod tables;

use std::fs::File;
use std::io;

use super::examine::examine_with;
use std::io::Write as _;

use super::probe::Probe;
use super::*;
use crate::model::ConcernKind;

fn stored(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn examined(bytes: &[u8]) -> Examined {
    examine(&stored(bytes), bytes.len() as u64).unwrap()
}

fn judged(bytes: &[u8], reported: &Reported<'_>) -> Judgement {
    judge(&examined(bytes), bytes.len() as u64, reported)
}

/// Whether the bytes alone are a reason to transfer the file once more.
fn is_doubtful(bytes: &[u8]) -> bool {
    matches!(judged(bytes, &Reported::default()), Judgement::Doubtful(_))
}

fn seconds(bytes: &[u8]) -> Option<f64> {
    examined(bytes).duration_seconds()
}

/// The kinds of the concerns about a file that is archived at once.
#[track_caller]
fn plausible(bytes: &[u8], reported: &Reported<'_>) -> Vec<ConcernKind> {
    match judged(bytes, reported) {
        Judgement::Plausible(concerns) => concerns.iter().map(|concern| concern.kind).collect(),
        Judgement::Doubtful(concerns) => panic!("doubtful: {concerns:?}"),
    }
}

/// The kinds of the concerns about a file that is transferred once more, and all they say.
#[track_caller]
fn doubtful(bytes: &[u8], reported: &Reported<'_>) -> (Vec<ConcernKind>, String) {
    match judged(bytes, reported) {
        Judgement::Plausible(concerns) => panic!("plausible: {concerns:?}"),
        Judgement::Doubtful(concerns) => {
            let details: Vec<_> = concerns.iter().map(|concern| &*concern.detail).collect();
            (
                concerns.iter().map(|concern| concern.kind).collect(),
                details.join("; "),
            )
        }
    }
}

/// All that is said about a file, whether it is archived at once or not.
fn remarks(bytes: &[u8]) -> String {
    let (Judgement::Plausible(concerns) | Judgement::Doubtful(concerns)) =
        judged(bytes, &Reported::default());
    let details: Vec<_> = concerns.iter().map(|concern| &*concern.detail).collect();
    details.join("; ")
}

/// What SignalWire reports of a file that lasts so long.
fn lasting(seconds: f64) -> Reported<'static> {
    Reported {
        duration_seconds: Some(seconds),
        ..Reported::default()
    }
}
