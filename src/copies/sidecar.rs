//! The sidecar of a copy: the object `KEY.json` beside `KEY`, so that a bucket explains itself, and a database can be
//! made of it. It follows the copy: first the recordings are safe. It is replaced when what it says has changed.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::StreamExt as _;

use super::first_look::FirstLook;
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

/// A sidecar whose key has another object is tried again so much later: somebody has to act.
const BLOCKED_AGAIN: Duration = Duration::from_hours(1);

/// When it is the turn of sidecars (monotonic).
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// When some may be due; `None`: nothing was written since they were looked for.
    due: Option<Due>,
    /// Where the look for them goes on.
    after: i64,
    running: bool,
    /// Rows whose sidecars could not be written for reasons of their own, and until when they are left alone.
    blocked: Arc<HashSet<i64>>,
    blocked_until: Duration,
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

    /// Begins, if it is their turn.
    pub(super) fn begin(&mut self, now: Duration, idle: bool) -> Option<Wanted> {
        if !self.is_due_at(now, idle) {
            return None;
        }
        if now >= self.blocked_until {
            self.blocked = Arc::default();
            self.blocked_until = now + BLOCKED_AGAIN;
        }
        self.due = None;
        self.running = true;
        Some(Wanted {
            after: self.after,
            blocked: self.blocked.clone(),
        })
    }

    /// That came to this.
    pub(super) fn end(&mut self, updated: &Updated, now: Duration) {
        self.running = false;
        self.after = updated.after;
        Arc::make_mut(&mut self.blocked).extend(&updated.blocked);
        let at = match (&updated.failed, updated.more) {
            (Some(_), _) => now + AGAIN,
            (None, true) => now,
            (None, false) => return,
        };
        self.due = Some(Due {
            from: at,
            at_latest: at,
        });
    }

    /// That was stopped: they are looked for again.
    pub(super) fn stop(&mut self) {
        *self = Self::default();
        self.may_be_due(Duration::ZERO);
    }
}

/// Which sidecars are looked for.
pub(super) struct Wanted {
    /// Those after this row.
    after: i64,
    /// Without these.
    blocked: Arc<HashSet<i64>>,
}

/// What an update of sidecars came to.
#[derive(Default)]
pub(super) struct Updated {
    /// The row after which the look for them goes on.
    after: i64,
    /// Whether there may be more that are due now.
    more: bool,
    /// Whether some were written.
    pub written: bool,
    /// Rows whose sidecars could not be written, for reasons of their own.
    blocked: Vec<i64>,
    /// How the target failed.
    pub failed: Option<StoreError>,
}

/// Why a sidecar was not written.
enum Unwritten {
    /// A request failed.
    Target(StoreError),
    /// It can't be made, or another object is under its key.
    Blocked(String),
    /// It was not tried, because the target failed or is rate-limiting us.
    Untried,
}

impl From<StoreError> for Unwritten {
    fn from(error: StoreError) -> Self {
        Self::Target(error)
    }
}

/// Uploads the first of those sidecars that are due: new ones, and those whose content has changed.
pub(super) async fn update(
    setup: &Setup,
    first_look: &FirstLook,
    wanted: Wanted,
) -> store::Result<Updated> {
    let due = setup
        .store
        .due_objects((setup.id, &setup.name), wanted.after, BATCH);
    let mut due = due.await?;
    let full = due.len() == BATCH as usize;
    let last = due.last().map_or(0, DueSidecar::row);
    due.retain(|one| !wanted.blocked.contains(&one.row()));
    let fails = &OnceLock::<StoreError>::new();
    let uploads = due.into_iter().map(|one| async move {
        if fails.get().is_some() || setup.target.cools_until().is_some() {
            return (one, Err(Unwritten::Untried));
        }
        let written = write(setup, first_look, &one).await;
        (setup.beat)();
        let written = written.map_err(|why| match why {
            Unwritten::Target(error) if error.trouble.concerns_target() => {
                _ = fails.set(error);
                Unwritten::Untried
            }
            Unwritten::Target(error) => Unwritten::Blocked(error.to_string()),
            why => why,
        });
        (one, written)
    });
    let uploads = futures::stream::iter(uploads).buffer_unordered(AT_ONCE);
    let (mut written, mut updated, mut untried) = (Vec::new(), Updated::default(), false);
    for (one, result) in uploads.collect::<Vec<_>>().await {
        match result {
            Ok(note) => written.push(note),
            Err(Unwritten::Untried | Unwritten::Target(_)) => untried = true,
            Err(Unwritten::Blocked(text)) => {
                blocked(setup, &one, &text).await?;
                updated.blocked.push(one.row());
            }
        }
    }
    updated.written = !written.is_empty();
    if updated.written {
        setup.store.sidecars_written(&setup.name, &written).await?;
    }
    updated.failed = fails.get().cloned();
    updated.more = untried || full;
    updated.after = match (untried, full) {
        (true, _) => wanted.after,
        (false, true) => last,
        (false, false) => 0,
    };
    Ok(updated)
}

/// Makes visible that a sidecar was not written.
async fn blocked(setup: &Setup, one: &DueSidecar, why: &str) -> store::Result<()> {
    let text = format!(
        "the sidecar of a copy in '{}' was not written: {why}",
        setup.name
    );
    let now = setup.clock.now();
    if setup.store.event_once_a_day(now, "copy", &text).await? {
        tracing::error!(recording.id = %one.described.id, "{text}");
    }
    Ok(())
}

/// Uploads a sidecar, unless the object there is another program's.
async fn write(
    setup: &Setup,
    first_look: &FirstLook,
    one: &DueSidecar,
) -> Result<Written, Unwritten> {
    let text = Document::text(&one.described, &setup.project_id)
        .map_err(|error| Unwritten::Blocked(error.to_string()))?;
    let bytes = text.into_bytes();
    let (length, sha256) = (bytes.len() as u64, hash_bytes(&bytes));
    let key = format!("{}{SIDECAR}", one.described.path);
    let token = new_token(&sha256, setup.clock.now());
    let target = &setup.target;
    let create = || target.create(&key, bytes.clone().into(), &sha256, &token);
    let replace = || target.replace(&key, bytes.clone().into(), &sha256, &token);
    let written = || Ok(one.written(length, sha256.clone()));
    if first_look.refuses() {
        match create().await {
            Ok(_) => return written(),
            Err(error) if matches!(error.trouble, Trouble::Exists | Trouble::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    match target.read_small(&key, MOST).await {
        Ok(found) if found == bytes => {}
        Ok(found) if is_ours(setup, one, &found) => drop(replace().await?),
        Err(error) if error.is_gone() => match create().await {
            Err(error) if error.trouble == Trouble::Unsupported => drop(replace().await?),
            created => {
                created?;
                first_look.find_out(create()).await;
            }
        },
        Err(error) if error.trouble != Trouble::Rejected => return Err(error.into()),
        Ok(_) | Err(_) => {
            return Err(Unwritten::Blocked(format!(
                "another object is under the key '{key}': it is not overwritten; move it away"
            )));
        }
    }
    written()
}

/// Whether an object is what was written here before, or, if the database is a new one, a sidecar of the same recording.
fn is_ours(setup: &Setup, one: &DueSidecar, found: &[u8]) -> bool {
    let written = one.written_sha256.as_ref();
    written.is_some_and(|sha256| hash_bytes(found) == *sha256)
        || Document::read(found, &setup.project_id)
            .is_ok_and(|document| document.described.id == one.described.id)
}
