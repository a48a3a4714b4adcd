//! A recording's place in the archive: what stands there already, and how a whole part gets there.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::retry::Failure;
use super::writer::disk;
use crate::archive::media::{self, Judgement};
use crate::archive::part::hash_file;
use crate::archive::paths::RelativePath;
use crate::archive::root::{LandError, Root};
use crate::model::ConcernKind;
use crate::store::{Claim, Landed};

/// Why a file was put aside, as the end of "a file that …".
pub(super) const UNEXPECTED: &str = "was not this recording's";

/// What was found in a recording's place.
pub(super) enum Look {
    Nothing,
    Fits(Landed),
    Quarantined(RelativePath, &'static str),
}

/// Judges what stands at `path`; what does not belong there is put aside.
pub(super) fn look(root: &Root, claim: &Claim, path: &RelativePath) -> io::Result<Look> {
    let put_aside = |word, why| {
        let moved = root.quarantine(path, word);
        moved.map(|to| Look::Quarantined(to, why))
    };
    let file = match root.open_file(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::Nothing),
        // A link, a directory or the like in the recording's own place.
        Err(_) if root.stat(path)?.is_some_and(|standing| !standing.is_file) => {
            return put_aside("unexpected", UNEXPECTED);
        }
        Err(error) => return Err(error),
    };
    let Ok((bytes, sha256)) = hash_file(&file, |_| true) else {
        return put_aside("unreadable", "could not be read");
    };
    let fits = match &claim.damaged {
        // Only the very same bytes mend a damaged file: someone put it back.
        Some((_, expected)) => *expected == sha256,
        None => check_whole(&file, bytes, claim, claim.size_bytes.is_some()).is_ok(),
    };
    if !fits {
        return put_aside("unexpected", UNEXPECTED);
    }
    if root.make_durable(path).is_err() {
        // Syncing it again would report success for data that is lost.
        return put_aside("not-durable", "could not be made durable");
    }
    Ok(Look::Fits(Landed {
        path: path.to_string(),
        bytes,
        sha256,
        adopted: true,
    }))
}

/// Whether a file is the whole recording: its length, its structure, its duration.
pub(super) fn check_whole(
    file: &File,
    bytes: u64,
    claim: &Claim,
    framed: bool,
) -> Result<(), Failure> {
    let examined = media::examine(file, bytes).map_err(disk)?;
    let not_whole =
        |what: &str| Failure::Content(format!("the file is not a whole recording: {what}"));
    if let Some(page) = examined.error_page() {
        return Err(not_whole(&format!("it is {page}")));
    }
    let reported = media::Reported {
        size_bytes: claim.size_bytes,
        duration_seconds: claim.duration_seconds,
        format: claim.format.as_deref(),
    };
    let (concerns, doubtful) = match media::judge(&examined, bytes, &reported) {
        Judgement::Plausible(concerns) => (concerns, false),
        Judgement::Doubtful(concerns) => (concerns, true),
    };
    let found = concerns
        .iter()
        .find(|concern| doubtful || concern.kind == ConcernKind::Duration);
    if let Some(concern) = found {
        return Err(not_whole(&concern.detail));
    }
    if !framed && !examined.proves_end() {
        return Err(Failure::Passing(
            "nothing proves that the body was complete".to_owned(),
        ));
    }
    Ok(())
}

/// Renames the part into its place. What stands there is never overwritten: the same bytes make the part
/// superfluous, others are put aside. Tells where they went.
pub(super) fn land_beside(
    root: &Arc<Root>,
    claim: &Claim,
    path: &RelativePath,
    mode: u32,
    sha256: &str,
) -> Result<Option<RelativePath>, Failure> {
    match root.land(claim.id, path, mode) {
        Ok(()) => return Ok(None),
        Err(LandError::Occupied(_)) => {}
        Err(error) => return Err(not_landed(error)),
    }
    let standing = root
        .open_file(path)
        .and_then(|file| hash_file(&file, |_| true));
    let same = standing.is_ok_and(|(_, standing)| standing == sha256);
    if same && root.make_durable(path).is_ok() {
        root.remove_part(claim.id).map_err(disk)?;
        return Ok(None);
    }
    let moved = root.quarantine(path, "unexpected");
    let moved = moved.map_err(|error| not_landed(LandError::quarantine(path, error)))?;
    root.land(claim.id, path, mode)
        .map(|()| Some(moved))
        .map_err(not_landed)
}

/// What a failed landing means: only what could not be made durable is discarded, and fetched again.
pub(super) fn not_landed(error: LandError) -> Failure {
    match error {
        LandError::Part { .. } => Failure::BrokenPart(error.to_string()),
        LandError::Disk { .. } => {
            Failure::Disk(format!("the archive can't be written to: {error}"))
        }
        LandError::Place(error) => Failure::PutOff(error.to_string()),
        LandError::Occupied(_) => Failure::Passing(error.to_string()),
    }
}
