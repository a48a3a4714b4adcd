//! The sidecar of a copy: the object `KEY.json` beside `KEY`, so that a bucket explains itself, and a database can be
//! made of it. It follows the copy: first the recordings are safe. It is replaced when what it says has changed.

use std::time::Duration;

use futures::StreamExt as _;

use super::failed::Failed;
use super::setup::Setup;
use super::upload::new_token;
use super::{StoreError, Trouble};
use crate::archive::part::hash_bytes;
use crate::archive::paths::SIDECAR;
use crate::sidecar::{Document, MOST};
use crate::store::{self, DueSidecar, Written};

/// Sidecars that are written in one go, and noted in one transaction.
const BATCH: u32 = 64;
/// Of these, at the same time.
const AT_ONCE: usize = 8;
/// The longest that sidecars wait while there are recordings to be copied.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// After a failure, sidecars are tried again so much later.
const AGAIN: Duration = Duration::from_mins(1);

/// When it is the turn of sidecars (monotonic).
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// When some may be due; `None`: nothing was written since they were looked for.
    due: Option<Due>,
    /// Where the look for them goes on.
    after: i64,
    running: bool,
}

#[derive(Debug)]
struct Due {
    from: Duration,
    /// Also if there are recordings to be copied.
    at_latest: Duration,
}

impl Turn {
    /// Something was written.
    pub(super) fn may_be_due(&mut self, now: Duration) {
        let at_latest = now + LONGEST_WAIT;
        self.due.get_or_insert(Due {
            from: now,
            at_latest,
        });
    }

    /// Whether some may be due, now or later.
    pub(super) fn is_due(&self) -> bool {
        self.due.is_some() && !self.running
    }

    /// Whether it is their turn. `idle`: there is no recording to be copied.
    pub(super) fn is_due_at(&self, now: Duration, idle: bool) -> bool {
        let due = self.due.as_ref();
        let at = due.map(|due| if idle { due.from } else { due.at_latest });
        !self.running && at.is_some_and(|at| now >= at)
    }

    /// They are looked for after the returned row.
    pub(super) fn begin(&mut self) -> i64 {
        self.due = None;
        self.running = true;
        self.after
    }

    /// That came to this.
    pub(super) fn end(&mut self, updated: &Updated, now: Duration) {
        self.running = false;
        self.after = updated.after;
        if updated.failed.is_some() || updated.left {
            let (from, at_latest) = (now + AGAIN, now + AGAIN);
            self.due = Some(Due { from, at_latest });
        } else if updated.after > 0 {
            let (from, at_latest) = (now, now);
            self.due = Some(Due { from, at_latest });
        }
    }

    /// That was stopped: they are looked for again.
    pub(super) fn stop(&mut self) {
        *self = Self::default();
        self.may_be_due(Duration::ZERO);
    }
}

/// What an update of sidecars came to.
pub(super) struct Updated {
    /// The row after which there may be more that are due; 0: there are none.
    after: i64,
    /// Whether some were written.
    pub written: bool,
    /// Whether some could not be written, for reasons of their own.
    left: bool,
    /// How the target failed.
    pub failed: Option<StoreError>,
}

/// Uploads the first of those sidecars that are due, after the row `after`: new ones, and those whose content has changed.
pub(super) async fn update(setup: &Setup, after: i64) -> store::Result<Updated> {
    let due = setup
        .store
        .due_objects((setup.id, &setup.name), after, BATCH);
    let due = due.await?;
    let more = due.len() == BATCH as usize;
    let mut updated = Updated {
        after: due.last().filter(|_| more).map_or(0, DueSidecar::row),
        written: false,
        left: false,
        failed: None,
    };
    let uploads = futures::stream::iter(due).map(|one| async move {
        let written = write(setup, &one).await;
        (one, written)
    });
    let mut uploads = std::pin::pin!(uploads.buffer_unordered(AT_ONCE));
    let mut written = Vec::new();
    while let Some((one, result)) = uploads.next().await {
        match result {
            Ok(note) => {
                (setup.beat)();
                written.push(note);
            }
            Err(Failed::Store(error)) => return Err(error),
            Err(Failed::Target(error)) if error.trouble.concerns_target() => {
                updated.failed = Some(error);
            }
            Err(error) => {
                let text = format!(
                    "the sidecar of a copy in '{}' was not written: {error}",
                    setup.name
                );
                let now = setup.clock.now();
                if setup.store.event_once_a_day(now, "copy", &text).await? {
                    tracing::error!(recording.id = %one.described.id, "{text}");
                }
                updated.left = true;
            }
        }
    }
    if !written.is_empty() {
        setup.store.sidecars_written(&setup.name, &written).await?;
        updated.written = true;
    }
    Ok(updated)
}

/// Uploads a sidecar, unless the object there is another program's.
pub(super) async fn write(setup: &Setup, one: &DueSidecar) -> Result<Written, Failed> {
    let text = Document::text(&one.described, &setup.project_id)
        .map_err(|error| Failed::Sidecar(error.to_string()))?;
    let bytes = text.into_bytes();
    let (length, sha256) = (bytes.len() as u64, hash_bytes(&bytes));
    let key = format!("{}{SIDECAR}", one.described.path);
    let token = new_token(&sha256, setup.clock.now());
    let content = || bytes.clone().into();
    let target = &setup.target;
    let replaces = match target.create(&key, content(), &sha256, &token).await {
        Ok(_) => false,
        // There is one, or the store does not know conditional requests.
        Err(error) if matches!(error.trouble, Trouble::Exists | Trouble::Unsupported) => {
            match target.read_small(&key, MOST).await {
                Ok(found) if found == bytes => false,
                Ok(found) if is_ours(setup, one, &found) => true,
                Err(error) if error.is_gone() => true,
                Err(error) if error.trouble != Trouble::Rejected => return Err(error.into()),
                Ok(_) | Err(_) => {
                    return Err(Failed::Sidecar(format!(
                        "another object is under the key '{key}': it is not overwritten; move it away"
                    )));
                }
            }
        }
        Err(error) => return Err(error.into()),
    };
    if replaces {
        target.replace(&key, content(), &sha256, &token).await?;
    }
    Ok(one.written(length, sha256))
}

/// Whether an object is what was written here before, or, if the database is a new one, a sidecar of the same recording.
fn is_ours(setup: &Setup, one: &DueSidecar, found: &[u8]) -> bool {
    let written = one.written_sha256.as_ref();
    written.is_some_and(|sha256| hash_bytes(found) == *sha256)
        || Document::read(found, &setup.project_id)
            .is_ok_and(|document| document.described.id == one.described.id)
}
