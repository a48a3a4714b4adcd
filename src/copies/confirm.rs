//! Uploads that were not looked for one by one count once the store has shown them: by a list, many at a time, and what
//! the list does not show by a look at each.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::OnceLock;

use futures::StreamExt as _;

use super::failed::Failed;
use super::job::{Job, Placed};
use super::setup::Setup;
use super::{Listed, Object, StoreError, Trouble};
use crate::store::{self, Copied};

/// Uploads that are confirmed together.
pub(super) const AT_ONCE: usize = 512;
/// A page of a list costs a store about as much as so many looks.
const WORTH_A_LIST: usize = 10;

/// Uploads by their keys.
type Unseen = BTreeMap<String, (Job, Placed)>;

/// What came of a look for uploads.
pub(super) struct Confirmed {
    /// The copies that ended.
    pub ended: Vec<(Job, Result<(), Failed>)>,
    /// Those that were not looked for, because the target failed or is rate-limiting us.
    pub left: Vec<(Job, Placed)>,
    /// How it failed.
    pub failed: Option<StoreError>,
}

/// Looks for uploads, and notes those that are there.
///
/// # Errors
/// The database's: nothing is noted then.
pub(super) async fn confirm(setup: &Setup, placed: Vec<(Job, Placed)>) -> store::Result<Confirmed> {
    let by_key = |(job, placed): (Job, Placed)| (job.row.path.clone(), (job, placed));
    let mut unseen: Unseen = placed.into_iter().map(by_key).collect();
    let fails = OnceLock::new();
    let mut seen = by_list(setup, &mut unseen, &fails).await;
    let (mut ended, mut left) = (Vec::new(), Vec::new());
    for (job, looked) in by_look(setup, unseen, &fails).await {
        match looked {
            Looked::Seen(object) => seen.push((job, object.into())),
            Looked::Failed(failed) => ended.push((job, Err(failed))),
            Looked::Not(placed) => left.push((job, placed)),
        }
    }
    ended.extend(note(setup, seen).await?);
    Ok(Confirmed {
        ended,
        left,
        failed: fails.into_inner(),
    })
}

/// Notes copies whose objects were seen, in one transaction.
///
/// # Errors
/// The database's: nothing is noted then.
pub(super) async fn note(
    setup: &Setup,
    seen: Vec<(Job, Placed)>,
) -> store::Result<Vec<(Job, Result<(), Failed>)>> {
    if seen.is_empty() {
        return Ok(Vec::new());
    }
    let copied = seen.iter().map(|(job, placed)| Copied {
        row: &job.row,
        etag: placed.receipt.etag.as_deref(),
        version: placed.receipt.version.as_deref(),
    });
    let copied: Vec<_> = copied.collect();
    let target = (setup.id, setup.name.as_str());
    let noted = setup.store.copied(target, &copied, setup.clock.now());
    let noted = noted.await?;
    let ended = seen.into_iter().map(|(job, _)| {
        let is_noted = noted.contains(&job.row.recording);
        (job, is_noted.then_some(()).ok_or(Failed::Changed))
    });
    Ok(ended.collect())
}

/// Takes out those that a list shows with the size and the checksum that the upload was answered with. It may lag
/// behind, or not be allowed: the others are looked at.
async fn by_list(
    setup: &Setup,
    unseen: &mut Unseen,
    fails: &OnceLock<StoreError>,
) -> Vec<(Job, Placed)> {
    let mut seen = Vec::new();
    let mut from = unseen.keys().next().cloned();
    while let Some(first) = from {
        let few = unseen.range(first.clone()..).count() < WORTH_A_LIST;
        if few || setup.target.cools_until().is_some() {
            break;
        }
        let page = match setup.target.list_from(&first).await {
            Ok(page) => page,
            Err(error) => {
                if let Trouble::Unavailable | Trouble::SlowDown { .. } = error.trouble {
                    _ = fails.set(error);
                }
                break;
            }
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

/// Whether an object in a list is the one that was uploaded.
fn is(listed: &Listed, job: &Job, placed: &Placed) -> bool {
    let etag = &placed.receipt.etag;
    listed.bytes == job.row.bytes && etag.is_some() && listed.etag == *etag
}

/// What came of a look at one object.
enum Looked {
    Seen(Object),
    Failed(Failed),
    /// It was not looked at.
    Not(Placed),
}

/// Looks at each, until the target fails or is rate-limiting us.
async fn by_look(
    setup: &Setup,
    unseen: Unseen,
    fails: &OnceLock<StoreError>,
) -> Vec<(Job, Looked)> {
    let looks = unseen.into_values().map(|(job, placed)| async move {
        if fails.get().is_some() || setup.target.cools_until().is_some() {
            return (job, Looked::Not(placed));
        }
        let found = job.look(placed.unseen.as_deref()).await;
        (setup.beat)();
        match found {
            Err(Failed::Target(error)) if error.trouble.concerns_target() => {
                _ = fails.set(error);
                (job, Looked::Not(placed))
            }
            found => {
                let object = found.and_then(|found| job.uploaded(found));
                let looked = object.map_or_else(Looked::Failed, Looked::Seen);
                (job, looked)
            }
        }
    });
    let at_once = setup.all_permits() as usize;
    futures::stream::iter(looks)
        .buffer_unordered(at_once)
        .collect()
        .await
}
