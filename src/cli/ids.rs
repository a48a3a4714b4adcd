//! Finds the objects whose ids are given in full or by their first characters. Every command that takes ids uses this.

use std::collections::HashSet;
use std::fmt::Write as _;

use anyhow::Result;

use super::args::IdPrefix;
use crate::escape;
use crate::human;
use crate::model::{RecordingId, SessionId};
use crate::store::{Candidate, Store};

/// Candidates that are printed when several ids begin in the same way.
const SHOWN: u32 = 5;

/// No id begins so, or several do. The text may have several lines, each already escaped.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotOne(String);

/// The one recording whose id begins so. A whole id is returned as it is, known or not.
pub(super) async fn recording(store: &Store, prefix: &IdPrefix) -> Result<RecordingId> {
    if let (true, Ok(id)) = (prefix.is_whole(), prefix.as_str().parse()) {
        return Ok(id);
    }
    let found = store.recordings_like(prefix.as_str(), SHOWN + 1).await?;
    match found.as_slice() {
        [one] => Ok(one.id),
        [] if store.sessions_like(prefix.as_str(), 1).await?.is_empty() => {
            let text = format!(
                "no recording is known whose id begins with '{}'",
                prefix.as_str()
            );
            Err(NotOne(text).into())
        }
        [] => {
            let text = format!(
                "'{0}' is the id of a session, not of a recording: 'room-archiver list --session {0}' lists its recordings",
                prefix.as_str()
            );
            Err(NotOne(text).into())
        }
        several => Err(ambiguous(prefix, "recordings", several).into()),
    }
}

/// The recordings whose ids begin so, each once, in this order. Fails if one of the prefixes does not lead to one.
pub(super) async fn recordings(store: &Store, prefixes: &[IdPrefix]) -> Result<Vec<RecordingId>> {
    let (mut ids, mut seen) = (Vec::with_capacity(prefixes.len()), HashSet::new());
    for prefix in prefixes {
        let id = recording(store, prefix).await?;
        if seen.insert(id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// The one session whose id begins so.
pub(super) async fn session(store: &Store, prefix: &IdPrefix) -> Result<SessionId> {
    let found = store.sessions_like(prefix.as_str(), SHOWN + 1).await?;
    match found.as_slice() {
        [one] => Ok(one.id),
        [] => {
            let what = if prefix.is_whole() {
                "has the id"
            } else {
                "has an id that begins with"
            };
            let text = format!("no known session {what} '{}'", prefix.as_str());
            Err(NotOne(text).into())
        }
        several => Err(ambiguous(prefix, "sessions", several).into()),
    }
}

fn ambiguous<Id: std::fmt::Display>(
    prefix: &IdPrefix,
    what: &str,
    found: &[Candidate<Id>],
) -> NotOne {
    let mut text = format!(
        "the ids of several {what} begin with '{}': give more characters",
        prefix.as_str()
    );
    for one in found.iter().take(SHOWN as usize) {
        let started = one.started_at.as_deref().map(human::time);
        let started = started.unwrap_or_else(|| "no start".to_owned());
        let room = one.room_name.as_deref().unwrap_or_default();
        // Writing to a String can't fail.
        _ = write!(
            text,
            "\n  {}  {started:<19}  {}",
            one.id,
            escape::line(room)
        );
    }
    if found.len() > SHOWN as usize {
        text.push_str("\n  … and more");
    }
    NotOne(text)
}
