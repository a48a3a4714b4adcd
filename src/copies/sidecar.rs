//! The sidecar of a copy: the object `KEY.json` beside `KEY`, so that a bucket explains itself, and a database can be
//! made of it. It is there before a recording counts as copied, and is replaced when what it says has changed.

use futures::StreamExt as _;

use super::failed::Failed;
use super::setup::Setup;
use super::upload::new_token;
use super::{StoreError, Trouble};
use crate::archive::part::hash_bytes;
use crate::archive::paths::SIDECAR;
use crate::sidecar::{Document, MOST};
use crate::store::{self, DueSidecar, Written};

/// Sidecars that are brought up to date in one go, and noted in one transaction.
pub(super) const BATCH: u32 = 64;
/// Of these, at the same time.
const AT_ONCE: usize = 4;

/// What an update of sidecars came to.
pub(super) struct Updated {
    /// Whether there may be more that are due.
    pub more: bool,
    /// How the target failed.
    pub failed: Option<StoreError>,
}

/// Uploads the first of those sidecars that are due because what they say has changed, after the row `after`.
pub(super) async fn update(setup: &Setup, after: &mut i64) -> store::Result<Updated> {
    let due = setup
        .store
        .due_objects((setup.id, &setup.name), *after, BATCH);
    let due = due.await?;
    let more = due.len() == BATCH as usize;
    *after = due.last().filter(|_| more).map_or(0, DueSidecar::row);
    let uploads = futures::stream::iter(due).map(|one| async move {
        let written = write(setup, &one).await;
        (one, written)
    });
    let mut uploads = std::pin::pin!(uploads.buffer_unordered(AT_ONCE));
    let (mut written, mut failed) = (Vec::new(), None);
    while let Some((one, result)) = uploads.next().await {
        match result {
            Ok(note) => {
                (setup.beat)();
                written.push(note);
            }
            Err(Failed::Store(error)) => return Err(error),
            Err(Failed::Target(error)) if error.trouble.concerns_target() => failed = Some(error),
            Err(error) => {
                let text = format!(
                    "the sidecar of a copy in '{}' was not written: {error}",
                    setup.name
                );
                tracing::error!(recording.id = %one.described.id, "{text}");
                let now = setup.clock.now();
                setup.store.event_once_a_day(now, "copy", &text).await?;
            }
        }
    }
    if !written.is_empty() {
        setup.store.sidecars_written(&setup.name, &written).await?;
    }
    Ok(Updated {
        more: more && failed.is_none(),
        failed,
    })
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
