//! Whether the copies are still there: without reading them, by a list of all objects, a thousand a request; and some
//! of them read back in full, if the configuration has a budget for that.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::look::{confirmed, read_back};
use super::setup::Setup;
use super::{Listed, Object, StoreError, Trouble};
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
        sidecars(setup, began).await?;
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
        let target = (setup.id, setup.name.as_str());
        setup.store.copies_seen(target, &seen, began).await?;
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
            let same = |object: &Object| {
                let same_etag = copy.etag.is_none() || object.etag == copy.etag;
                object.is(copy.bytes, &copy.sha256) && same_etag
            };
            let right = |object: Option<&Object>| object.is_some_and(same);
            let state = match confirmed(&setup.target, &copy.key, right).await? {
                None => CopyState::Missing,
                Some(object) if same(&object) => CopyState::Copied,
                Some(_) => CopyState::Differs,
            };
            note(setup, &copy, state, began).await?;
            (setup.beat)();
        }
    }
}

/// Looks for each sidecar that the list did not show, or showed with another size: what is not there is written again.
async fn sidecars(setup: &Setup, began: DateTime<Utc>) -> Result<(), Stopped> {
    let mut after = 0;
    loop {
        let target = (setup.id, setup.name.as_str());
        let unseen = setup.store.unseen_sidecars(target, began, after, BATCH);
        let unseen = unseen.await?;
        let Some(last) = unseen.last() else {
            return Ok(());
        };
        after = last.recording;
        for sidecar in unseen {
            let right = |object: Option<&Object>| {
                object.is_some_and(|object| object.is(sidecar.bytes, &sidecar.sha256))
            };
            let found = confirmed(&setup.target, &sidecar.key, right).await?;
            if !right(found.as_ref()) {
                tracing::warn!(
                    copies.target = setup.name,
                    "the sidecar '{}' is no longer there as it was written: it is written again",
                    crate::escape::line(&sidecar.key)
                );
                let store = &setup.store;
                store.sidecar_lost(&setup.name, &sidecar).await?;
            }
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
        let read = async || read_back(&setup.target, &copy.key, copy.bytes, &*setup.beat).await;
        let mut found = read().await;
        if found
            .as_ref()
            .is_ok_and(|found| *found != Some(copy.sha256.clone()))
        {
            // What is odd is read once more before it is believed.
            found = read().await;
        }
        let state = match found {
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
