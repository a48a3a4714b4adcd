//! Unfinished uploads below the prefix that nobody knows: the parts of a database that was lost, say. They cost money
//! and are not shown by a list of objects.

use chrono::{DateTime, TimeDelta, Utc};

use super::setup::Setup;
use super::{StoreError, Trouble};
use crate::store;

/// How often they are looked for.
const EVERY: TimeDelta = TimeDelta::days(7);
/// An upload so young may be one of another process, which is about to complete it.
const YOUNG: TimeDelta = TimeDelta::days(1);
/// Uploads that are looked at in one go.
const MOST: usize = 10_000;

/// Whether it is time to look for them.
pub(super) fn are_due(last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    last.is_none_or(|last| now - last >= EVERY || last > now)
}

/// Aborts them, if their keys are those of recordings here; others are reported. Returns how the target failed.
pub(super) async fn abort(setup: &Setup) -> store::Result<Option<StoreError>> {
    let now = setup.clock.now();
    let found = match setup.target.unfinished("", MOST).await {
        Ok(found) => found,
        Err(error) if error.trouble.concerns_target() => return Ok(Some(error)),
        Err(error) => {
            if error.trouble != Trouble::Unsupported {
                tracing::warn!(copies.target = setup.name, "{error}");
            }
            // The store has no such list: a lifecycle rule has to do it.
            setup.store.strays_sought(setup.id, now).await?;
            return Ok(None);
        }
    };
    let known = setup.store.known_uploads(setup.id).await?;
    for upload in found {
        let old = upload.begun_at.is_some_and(|begun| now - begun > YOUNG);
        if !old || known.contains(&upload.id) {
            continue;
        }
        if !setup.store.is_path(&upload.key).await? {
            let text = format!(
                "an unfinished upload of '{}' in '{}' is not of this archive: it was left alone",
                upload.key, setup.name
            );
            setup.store.event_once_a_day(now, "copy", &text).await?;
            continue;
        }
        match setup.target.abort(&upload.key, &upload.id).await {
            Ok(()) => tracing::info!(
                copies.target = setup.name,
                "aborted an unfinished upload of '{}' that nobody knew",
                crate::escape::line(&upload.key)
            ),
            Err(error) => return Ok(Some(error)),
        }
    }
    setup.store.strays_sought(setup.id, now).await?;
    Ok(None)
}
