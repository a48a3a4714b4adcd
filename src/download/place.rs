//! A recording's place in the archive: what stands there already, whether a file is the recording, and how a whole
//! part gets there.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::failure::{Cause, Failure};
use super::write::writer::disk;
use crate::archive::media::{self, Judgement, MediaKind, Reported};
use crate::archive::part::hash_file;
use crate::archive::paths::{Facts, RelativePath};
use crate::archive::root::{LandError, Root};
use crate::model::Concern;
use crate::store::{Claim, Doubt, Landed};

/// Why a file was quarantined, as the end of "a file that …".
pub(super) const UNEXPECTED: &str = "was not this recording's";

/// What a recording's path is made of.
pub(super) fn facts(claim: &Claim, kind: Option<MediaKind>) -> Facts<'_> {
    Facts {
        recording_id: claim.id,
        session_id: claim.session_id,
        room: claim.room_name.as_deref(),
        started_at: claim.started_at,
        format: claim.format.as_deref(),
        extension: kind.and_then(MediaKind::extension),
    }
}

/// What was found in a recording's place.
pub(super) enum Look {
    Nothing,
    Fits(Landed),
    /// It may be the recording: the same bytes from SignalWire prove it.
    Unproven(Doubt),
    Quarantined(RelativePath, &'static str),
}

/// Judges what stands at `path`; what does not belong there is quarantined.
pub(super) fn look(root: &Root, claim: &Claim, path: &RelativePath) -> io::Result<Look> {
    let quarantine = |word, why| {
        let moved = root.quarantine(path, word);
        moved.map(|to| Look::Quarantined(to, why))
    };
    let file = match root.open_file(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::Nothing),
        // A link, a directory or the like in the recording's own place.
        Err(_) if root.stat(path)?.is_some_and(|standing| !standing.is_file) => {
            return quarantine("unexpected", UNEXPECTED);
        }
        Err(error) => return Err(error),
    };
    let Ok((bytes, sha256)) = hash_file(&file, |_| true) else {
        return quarantine("unreadable", "could not be read");
    };
    let Ok(judged) = judge(&file, bytes, claim, claim.size_bytes.is_some()) else {
        return quarantine("unexpected", UNEXPECTED);
    };
    let concerns = match (&claim.damaged, judged) {
        // Only the very same bytes repair a damaged file: someone put it back.
        (Some((_, expected)), judged) if *expected == sha256 => judged.concerns,
        (Some(_), _) => return quarantine("unexpected", UNEXPECTED),
        (None, judged)
            if judged.doubtful && !agrees(claim.doubt.as_ref(), &sha256, bytes, None) =>
        {
            return Ok(Look::Unproven(Doubt {
                sha256,
                bytes,
                validator: None,
            }));
        }
        (None, judged) => judged.concerns,
    };
    if root.make_durable(path).is_err() {
        // Syncing it again would report success for data that is lost.
        return quarantine("not-durable", "could not be made durable");
    }
    Ok(Look::Fits(Landed {
        path: path.to_string(),
        bytes,
        sha256,
        adopted: true,
        concerns,
    }))
}

/// What a complete file is.
pub(super) struct Judged {
    pub kind: MediaKind,
    /// Archived only once it was seen twice.
    pub doubtful: bool,
    pub concerns: Vec<Concern>,
}

/// Judges a file. `complete`: the protocol proved that nothing is lacking at its end.
pub(super) fn judge(
    file: &File,
    bytes: u64,
    claim: &Claim,
    complete: bool,
) -> Result<Judged, Failure> {
    let examined = media::examine(file, bytes)
        .map_err(|error| Failure::BrokenPart(Cause::of("could not read the part", error)))?;
    if bytes == 0 {
        return Err(Failure::Refused("the media host sent an empty file".into()));
    }
    if let Some(page) = examined.error_page() {
        let what = format!("the media host sent {page} in place of the recording");
        return Err(Failure::Refused(what.into()));
    }
    if !complete && !examined.proves_end() {
        return Err(Failure::BrokeOff(
            "nothing proves that the body was complete".into(),
        ));
    }
    let reported = Reported {
        size_bytes: claim.size_bytes,
        duration_seconds: claim.duration_seconds,
        format: claim.format.as_deref(),
    };
    let (doubtful, concerns) = match media::judge(&examined, bytes, &reported) {
        Judgement::Plausible(concerns) => (false, concerns),
        Judgement::Doubtful(concerns) => (true, concerns),
    };
    Ok(Judged {
        kind: examined.kind(),
        doubtful,
        concerns,
    })
}

/// Whether a complete transfer is the same as the one before it: the same bytes, or an object that has not changed
/// according to its strong validator and size, which is not transferred a third time.
pub(super) fn agrees(
    doubt: Option<&Doubt>,
    sha256: &str,
    bytes: u64,
    validator: Option<&str>,
) -> bool {
    doubt.is_some_and(|doubt| {
        doubt.bytes == bytes
            && (doubt.sha256 == sha256
                || validator.is_some() && doubt.validator.as_deref() == validator)
    })
}

/// Renames the part into its place. What stands there is never overwritten: the same bytes make the part
/// superfluous, others are quarantined. Returns where they went.
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
    let standing = match root.open_file(path) {
        Ok(file) => hash_file(&file, |_| true).ok(),
        // Out of file descriptors, say: it may be this very recording.
        Err(error)
            if root
                .stat(path)
                .is_ok_and(|at| at.is_some_and(|at| at.is_file)) =>
        {
            let what = format!("could not look at what stands at '{path}'");
            return Err(Failure::Place(Cause::of(what, error)));
        }
        Err(_) => None,
    };
    let same = standing.is_some_and(|(_, standing)| standing == sha256);
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

/// What a failed landing means: only what could not be made durable is discarded, and downloaded again.
pub(super) fn not_landed(error: LandError) -> Failure {
    match error {
        LandError::Part { .. } => Failure::BrokenPart(Cause::error(error)),
        LandError::Disk { .. } => {
            Failure::Disk(Cause::of("the archive can't be written to", error))
        }
        LandError::Place(_) | LandError::Occupied(_) => Failure::Place(Cause::error(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_agrees_with_the_one_before_by_its_bytes_or_by_an_unchanged_object() {
        let doubt = |validator: Option<&str>| Doubt {
            sha256: "one".to_owned(),
            bytes: 5,
            validator: validator.map(str::to_owned),
        };
        let (etag, other) = (Some("\"etag\""), Some("\"other\""));
        for (before, sha256, bytes, validator, expected) in [
            (None, "one", 5, None, true),
            (etag, "one", 5, other, true),
            (etag, "two", 5, etag, true),
            (etag, "two", 5, other, false),
            (etag, "two", 5, None, false),
            (None, "two", 5, None, false),
            (None, "two", 5, etag, false),
            (etag, "one", 6, etag, false),
        ] {
            let agreed = agrees(Some(&doubt(before)), sha256, bytes, validator);
            assert_eq!(
                agreed, expected,
                "{before:?} {sha256} {bytes} {validator:?}"
            );
        }
        assert!(!agrees(None, "one", 5, etag));
    }
}
