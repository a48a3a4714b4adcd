//! What was uploaded counts once the store has shown it: small files by a list, many at a time, and what the list does
//! not show by a look at each.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::OnceLock;

use futures::StreamExt as _;

use super::failed::Failed;
use super::job::{Job, Placed};
use super::setup::Setup;
use super::{Listed, Object, StoreError};
use crate::store::{self, Copied};

/// A page of a list costs a store about as much as so many looks.
const WORTH_A_LIST: usize = 10;
/// Looks at the same time.
const AT_ONCE: usize = 4;

/// Copies whose files were uploaded, by their keys.
type Unseen = BTreeMap<String, (Job, Placed)>;

/// Looks for the objects of these copies, and notes those that are there, in one transaction. Returns what each copy
/// came to.
///
/// # Errors
/// The database's: nothing is noted then.
pub(super) async fn confirm(
    setup: &Setup,
    placed: Vec<(Job, Placed)>,
) -> store::Result<Vec<(Job, Result<(), Failed>)>> {
    let (unseen, mut seen): (Vec<_>, Vec<_>) = placed
        .into_iter()
        .partition(|(_, placed)| placed.unseen.is_some());
    let by_key = |(job, placed): (Job, Placed)| (job.row.path.clone(), (job, placed));
    let mut unseen: Unseen = unseen.into_iter().map(by_key).collect();
    seen.extend(by_list(setup, &mut unseen).await);
    let mut ended = Vec::new();
    for (job, object) in by_look(setup, unseen).await {
        match object {
            Ok(object) => seen.push((job, object.into())),
            Err(failed) => ended.push((job, Err(failed))),
        }
    }
    let copied: Vec<Copied<'_>> = seen
        .iter()
        .map(|(job, placed)| Copied {
            row: &job.row,
            etag: placed.receipt.etag.as_deref(),
            version: placed.receipt.version.as_deref(),
        })
        .collect();
    if !copied.is_empty() {
        let target = (setup.id, setup.name.as_str());
        let noted = setup.store.copied(target, &copied, setup.clock.now());
        noted.await?;
    }
    ended.extend(seen.into_iter().map(|(job, _)| (job, Ok(()))));
    Ok(ended)
}

/// Takes out those that a list shows with the size and the checksum that the upload was answered with. It may lag
/// behind, or not be allowed: the others are looked at.
async fn by_list(setup: &Setup, unseen: &mut Unseen) -> Vec<(Job, Placed)> {
    let mut seen = Vec::new();
    let mut from = unseen.keys().next().cloned();
    while let Some(first) = from {
        let left = unseen.range(first.clone()..).count();
        if left < WORTH_A_LIST {
            break;
        }
        let Ok(page) = setup.target.list_from(&first).await else {
            break;
        };
        (setup.beat)();
        let last = page.last().map(|listed| listed.key.clone());
        let before = seen.len();
        for listed in page {
            let shown = unseen
                .get(&listed.key)
                .is_some_and(|(job, placed)| is(&listed, job, placed));
            if shown {
                seen.extend(unseen.remove(&listed.key));
            }
        }
        // Where others lie between them, a list does not pay.
        if seen.len() - before < WORTH_A_LIST {
            break;
        }
        from = last.and_then(|last| {
            let mut rest = unseen.range((Bound::Excluded(last), Bound::Unbounded));
            rest.next().map(|(key, _)| key.clone())
        });
    }
    seen
}

/// Looks at each. Once the target fails, the others are not even asked for.
async fn by_look(setup: &Setup, unseen: Unseen) -> Vec<(Job, Result<Object, Failed>)> {
    let fails = &OnceLock::<StoreError>::new();
    let looks = unseen.into_values().map(|(job, placed)| async move {
        if let Some(error) = fails.get() {
            return (job, Err(error.clone().into()));
        }
        let found = job.look(placed.unseen.as_deref()).await;
        if let Err(Failed::Target(error)) = &found
            && error.trouble.concerns_target()
        {
            _ = fails.set(error.clone());
        }
        (setup.beat)();
        let object = found.and_then(|found| job.uploaded(found));
        (job, object)
    });
    let looks = futures::stream::iter(looks).buffer_unordered(AT_ONCE);
    looks.collect().await
}

/// Whether an object in a list is the one that was uploaded.
fn is(listed: &Listed, job: &Job, placed: &Placed) -> bool {
    let etag = &placed.receipt.etag;
    listed.bytes == job.row.bytes && etag.is_some() && listed.etag == *etag
}
