//! Whether the copies are still there: without reading them, by a list of all objects, a thousand a request; and some
//! of them read back in full, if the configuration has a budget for that.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::job::read_back;
use super::setup::Setup;
use super::{Listed, StoreError, Trouble};
use crate::store::{self, CopyState, SeenObject, VerifiableCopy};

/// Rows of one query.
const BATCH: usize = 100;

/// Verifies all copies of a target, and writes down what is wrong. Returns how the target failed.
pub(super) async fn run(setup: &Setup) -> store::Result<Option<StoreError>> {
    let began = setup.clock.now();
    match verify(setup, began).await {
        Ok(()) => {}
        Err(Stopped::Target(error)) => return Ok(Some(error)),
        Err(Stopped::Store(error)) => return Err(error),
    }
    setup
        .store
        .target_verified(setup.id, setup.clock.now())
        .await?;
    tracing::info!(copies.target = setup.name, "verified the copies");
    Ok(None)
}

enum Stopped {
    Target(StoreError),
    Store(store::Error),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Target(error)
    }
}

impl From<store::Error> for Stopped {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

async fn verify(setup: &Setup, began: DateTime<Utc>) -> Result<(), Stopped> {
    if setup.store.count_copies(setup.id).await? > 0 {
        by_list(setup, began).await?;
        by_head(setup, began).await?;
        by_reading(setup, began).await?;
    }
    Ok(())
}

/// Notes the copies that the list shows as they should be. It may lag behind: what it does not show is looked for.
async fn by_list(setup: &Setup, began: DateTime<Utc>) -> Result<(), Stopped> {
    let (mut token, mut pages) = (None, HashSet::new());
    loop {
        let (listed, next) = setup.target.list("", token).await?;
        let seen: Vec<SeenObject> = listed.into_iter().map(seen).collect();
        setup.store.copies_seen(setup.id, &seen, began).await?;
        (setup.beat)();
        match next {
            None => return Ok(()),
            // A list that goes in circles never ends.
            Some(next) if !pages.insert(next.clone()) => {
                let detail = "the list goes in circles";
                return Err(StoreError::new(Trouble::Nonsense, "list objects", detail).into());
            }
            next => token = next,
        }
    }
}

fn seen(listed: Listed) -> SeenObject {
    SeenObject {
        key: listed.key,
        bytes: listed.bytes,
        etag: listed.etag,
    }
}

/// Looks for each copy that the list did not show, or showed otherwise.
async fn by_head(setup: &Setup, began: DateTime<Utc>) -> Result<(), Stopped> {
    loop {
        let unseen = setup
            .store
            .unverified_copies(setup.id, BATCH, began)
            .await?;
        if unseen.is_empty() {
            return Ok(());
        }
        for copy in unseen {
            let state = match setup.target.head(&copy.key).await? {
                None => CopyState::Missing,
                Some(object) => {
                    let same_hash = object.sha256.as_ref().is_none_or(|sha| *sha == copy.sha256);
                    let same_etag = copy.etag.is_none() || object.etag == copy.etag;
                    if object.bytes == copy.bytes && same_hash && same_etag {
                        CopyState::Copied
                    } else {
                        CopyState::Differs
                    }
                }
            };
            note(setup, &copy, state, began).await?;
            (setup.beat)();
        }
    }
}

/// Reads copies back, those that were read longest ago first, until the budget is spent.
async fn by_reading(setup: &Setup, began: DateTime<Utc>) -> Result<(), Stopped> {
    let mut left = setup.verify_bytes;
    while left > 0 {
        let Some(copy) = setup.store.longest_unread_copy(setup.id, began).await? else {
            return Ok(());
        };
        left = left.saturating_sub(copy.bytes);
        let read = read_back(&setup.target, &copy.key, copy.bytes, &*setup.beat).await;
        let state = match read {
            Ok(Some(sha256)) if sha256 == copy.sha256 => {
                setup
                    .store
                    .copy_read(setup.id, copy.recording, began)
                    .await?;
                continue;
            }
            Ok(_) => CopyState::Differs,
            Err(error) if error.trouble == Trouble::Gone => CopyState::Missing,
            Err(error) => return Err(error.into()),
        };
        note(setup, &copy, state, began).await?;
    }
    Ok(())
}

async fn note(
    setup: &Setup,
    copy: &VerifiableCopy,
    state: CopyState,
    began: DateTime<Utc>,
) -> store::Result<()> {
    let name = &setup.name;
    let error = match state {
        CopyState::Copied | CopyState::Pending => None,
        CopyState::Missing => Some(format!("the copy in '{name}' is no longer there")),
        CopyState::Differs => Some(format!("the copy in '{name}' is not what was copied")),
    };
    if let Some(error) = &error {
        tracing::error!(recording.id = %copy.id, copies.target = name, "{error}");
    }
    let (store, now) = (&setup.store, setup.clock.now());
    let noted = store.copy_verified(setup.id, copy, state, error.as_deref(), began.max(now));
    noted.await
}
